import { describe, expect, test } from "vitest";
import { connectJson, connectRawJson, type JsonClient } from "./json-client.ts";
import type { RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { until } from "./wait.ts";

const MEBIBYTE = 1_048_576;
/** `RELAY_MAX_TOTAL_BUFFERED_BYTES`. The relay counts up to a quarter of it: 4 MiB. */
const BUDGET_BYTES = 16 * MEBIBYTE;
/** Garbage by which a process may grow while it reads large frames one after the other. */
const GARBAGE_BYTES = 128 * MEBIBYTE;
/** Timeout of tests that send much, on a busy machine. */
const LARGE_TIMEOUT = { timeout: 120_000 };
const LARGE = Buffer.alloc(900_000, "x");

function settings(budgetBytes: number, more: Readonly<Record<string, string>> = {}) {
  return { env: { RELAY_LOG: "warning", RELAY_MAX_TOTAL_BUFFERED_BYTES: String(budgetBytes), ...more } };
}

/** Takes the next frame of this type. Skips others before it, and answers the relay's pings. */
async function nextOf(raw: RawClient, type: string): Promise<Record<string, unknown>> {
  for (;;) {
    const frame: Record<string, unknown> = JSON.parse(String(await raw.next()));
    if (frame.type === type) return frame;
    if (frame.type === "ping") raw.text('{"type":"pong"}');
  }
}

/** Sends this many bytes. @returns The outcome: `delivered`, `queued` or the code of an error. */
async function outcomeOf(sender: JsonClient, to: string, bytes: number): Promise<string> {
  const { outcome, error } = await sender.ask({ type: "send", to, data: "x".repeat(bytes) });
  return outcome === "failed" ? (error as { code: string }).code : String(outcome);
}

/** Connects this many clients, thirty at a time, and resets their connections. @returns The ids of their sessions. */
async function createAwaySessions(server: Server, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const watcher = await connectJson(server);
    const connected = await Promise.all(Array.from({ length: 30 }, () => connectRawJson(server)));
    for (const { raw, welcome } of connected) {
      await watcher.ask({ type: "watch", id: welcome.id });
      expect(await watcher.next()).toMatchObject({ event: "online" });
      raw.reset();
      expect(await watcher.next()).toMatchObject({ id: welcome.id, event: "offline" });
      ids.push(welcome.id);
    }
    await watcher.close();
  }
  return ids;
}

/**
 * Sends this many bytes to each id, from a sender each, because the relay reads more slowly from one that it refuses.
 *
 * @returns The outcomes, as of `outcomeOf`.
 */
async function sendToEach(server: Server, ids: readonly string[], bytes: number): Promise<string[]> {
  const send = async (id: string): Promise<string> => {
    const sender = await connectJson(server);
    const outcome = await outcomeOf(sender, id, bytes);
    await sender.close();
    return outcome;
  };
  return await Promise.all(ids.map(send));
}

describe.each(runtimes)("the memory of the relay on $name", (runtime) => {
  test("keeps no frame of a failed send: 192 sends of 900 kB to nobody leave nothing", LARGE_TIMEOUT, async () => {
    const server = await ownServer(runtime, settings(BUDGET_BYTES));
    const { raw } = await connectRawJson(server);
    const before = server.process.rssBytes;
    for (let ackId = 1; ackId <= 192; ackId++) {
      raw.largeText('{"type":"send","to":"nobody-has-this-id","data":"', LARGE, `","ackId":${ackId}}`);
      expect(await nextOf(raw, "ack")).toMatchObject({ ackId, error: { code: "no_such_id" } });
    }
    expect(server.process.rssBytes - before).toBeLessThan(GARBAGE_BYTES);
  });

  test("keeps no frame of a join or a watch: 180 frames of 900 kB leave nothing", LARGE_TIMEOUT, async () => {
    const server = await ownServer(runtime, settings(BUDGET_BYTES));
    const spaces = Buffer.alloc(LARGE.length, " ");
    const before = server.process.rssBytes;
    for (const session of ["one", "two"]) {
      const raw = await server.openRaw({ headers: { "Sec-WebSocket-Protocol": "relay.v1.text" } });
      await raw.next();
      for (let room = 1; room <= 60; room++) {
        raw.largeText(`:join room-with-a-long-name-${session}-${room}`, spaces);
        expect(await raw.next()).toMatch(/^:joined /);
      }
    }
    const { raw } = await connectRawJson(server);
    for (let ackId = 1; ackId <= 60; ackId++) {
      raw.largeText(`{"type":"watch","id":"an-id-with-a-long-name-${ackId}","ackId":${ackId}`, spaces, "}");
      expect(await nextOf(raw, "ack")).toMatchObject({ ackId, outcome: "done" });
    }
    expect(server.process.rssBytes - before).toBeLessThan(GARBAGE_BYTES);
  });

  test("keeps no acknowledged message", LARGE_TIMEOUT, async () => {
    const server = await ownServer(runtime, settings(16 * BUDGET_BYTES));
    const { raw: sender } = await connectRawJson(server);
    const before = server.process.rssBytes;
    const receivers: RawClient[] = [];
    while (receivers.length < 3) {
      const { raw, welcome } = await connectRawJson(server);
      receivers.push(raw);
      for (let sequenceId = 1; sequenceId <= 63; sequenceId++) {
        sender.largeText(`{"type":"send","to":"${welcome.id}","data":"`, LARGE, '"}');
        expect(await nextOf(raw, "message")).toMatchObject({ sequenceId });
        raw.text(`{"type":"sequenceAck","sequenceId":${sequenceId}}`);
        // The relay has read the ack when it answers the ping; the next message would not fit into the mailbox before.
        raw.text('{"type":"ping"}');
        await nextOf(raw, "pong");
      }
    }
    expect(server.process.rssBytes - before).toBeLessThan(GARBAGE_BYTES);
  });

  test(
    "keeps a session's messages once, not once for each connection, over 80 resumes by clients that read nothing",
    LARGE_TIMEOUT,
    async () => {
      const bounds = { RELAY_MAX_MAILBOX_BYTES: "7500000", RELAY_MAX_BUFFERED_BYTES: "7500000" };
      const server = await ownServer(runtime, settings(8 * BUDGET_BYTES, bounds));
      const [sender, lost] = [await connectJson(server), await connectJson(server)];
      for (let message = 0; message < 8; message++) expect(await outcomeOf(sender, lost.id, 900_000)).toBe("delivered");
      const before = server.process.rssBytes;
      const connections: RawClient[] = [];
      while (connections.length < 80) {
        const { raw, welcome } = await connectRawJson(server, lost.token);
        expect(welcome).toMatchObject({ id: lost.id, resumed: true });
        raw.pause();
        connections.push(raw);
      }
      expect(server.process.rssBytes - before).toBeLessThan(8 * BUDGET_BYTES + GARBAGE_BYTES);
      for (const raw of connections) raw.reset();
      await server.relayOne();
    },
  );

  test("holds messages for clients that are away in half of the budget, however many clients", async () => {
    const server = await ownServer(runtime, settings(BUDGET_BYTES));
    const ids = await createAwaySessions(server, 90);
    const outcomes = await sendToEach(server, ids, 31_000);
    const queued = outcomes.filter((outcome) => outcome === "queued").length;
    expect(new Set(outcomes)).toEqual(new Set(["queued", "mailbox_full"]));
    expect(queued).toBeGreaterThan(20);
    expect(queued * 31_000).toBeLessThan(BUDGET_BYTES / 4 / 2);
  });

  test("is within the budget for clients that never acknowledge; a resume reports dropped messages", async () => {
    const server = await ownServer(runtime, settings(BUDGET_BYTES));
    const sender = await connectJson(server);
    const receivers: JsonClient[] = [];
    while (receivers.length < 12) {
      const receiver = await connectJson(server);
      expect(await outcomeOf(sender, receiver.id, 900_000)).toBe("delivered");
      expect(await receiver.next()).toMatchObject({ type: "message", sequenceId: 1 });
      receivers.push(receiver);
    }
    let recovered = 0;
    for (const receiver of receivers) {
      const back = await connectJson(server, { resume: receiver.token });
      expect(back.welcome.resumed).toBe(true);
      if (back.welcome.recovered) recovered++;
    }
    expect(recovered * 900_000).toBeLessThan(BUDGET_BYTES / 4);
  });

  test("has room for a client that reads, although others left with full mailboxes", async () => {
    const server = await ownServer(runtime, settings(BUDGET_BYTES));
    const ids = await createAwaySessions(server, 90);
    await sendToEach(server, ids, 29_000);
    const [sender, reader] = [await connectJson(server), await connectJson(server)];
    for (let message = 1; message <= 3; message++) {
      expect(await outcomeOf(sender, reader.id, 900_000)).toBe("delivered");
      expect(await reader.next()).toMatchObject({ type: "message", sequenceId: message });
      await reader.acknowledge(message);
    }
  });

  test("is taken from clients that stopped acknowledging as soon as a client that reads needs it", async () => {
    const server = await ownServer(runtime, settings(BUDGET_BYTES));
    const stall = async (): Promise<RawClient> => {
      const sender = await connectJson(server);
      const { raw, welcome } = await connectRawJson(server);
      raw.text('{"type":"sequenceAck","sequenceId":0}');
      while ((await outcomeOf(sender, welcome.id, 60_000)) === "delivered");
      await sender.close();
      return raw;
    };
    const stalled = await Promise.all(Array.from({ length: 30 }, stall));
    const reader = await connectJson(server);
    // The relay closes a stalled client after a second.
    await until(async () => {
      // Until then the relay may close the sender of a large message, with 4003 or 4000.
      const another = await connectJson(server);
      const outcome = await outcomeOf(another, reader.id, 900_000).catch(() => "closed");
      another.drop();
      return outcome === "delivered";
    }, "a large message to fit");
    expect(await reader.next()).toMatchObject({ type: "message" });
    expect(await Promise.race(stalled.map((raw) => raw.closeCode()))).toBe(4000);
  });

  test("bounds rooms by the budget: a join is overloaded until others leave their rooms", async () => {
    const limits = { RELAY_MAX_ROOMS_PER_SESSION: "100000" };
    const server = await ownServer(runtime, settings(MEBIBYTE, limits));
    const [greedy, modest] = [await connectJson(server), await connectJson(server)];
    const join = async (client: JsonClient, room: number): Promise<unknown> => {
      const { outcome, error } = await client.ask({ type: "join", room: `${client.id}-${room}` });
      return outcome === "failed" ? error : outcome;
    };
    let rooms = 0;
    let answer: unknown;
    do answer = await join(greedy, ++rooms);
    while (answer === "done");
    expect(answer).toMatchObject({ code: "overloaded", temporary: true });
    expect(await join(modest, 1)).toBe("done");
    await greedy.close();
    expect(await join(modest, 2)).toBe("done");
  });

  test("bounds sessions, away ones included, by RELAY_MAX_SESSIONS; those that are away can still resume", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "warning", RELAY_MAX_SESSIONS: "3" } });
    const [one, two] = [await connectJson(server), await connectJson(server)];
    two.drop();
    const status = async (): Promise<number> => (await server.tryHandshake("/ws")).status;
    expect(await status()).toBe(503);
    expect((await fetch(server.url("/readyz"))).status).toBe(503);
    const back = await connectJson(server, { resume: two.token });
    expect(back.welcome).toMatchObject({ id: two.id, resumed: true });
    await one.close();
    await until(async () => (await status()) === 101, "a place for a new session");
  });
});
