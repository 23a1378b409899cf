import { describe, expect, onTestFinished, test } from "vitest";
import type { Client } from "./client.ts";
import { OPCODES } from "./frames.ts";
import { connectJson } from "./json-client.ts";
import type { RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";
import { PATIENCE_MS, within } from "./wait.ts";

const MEBIBYTE = 1_048_576;
const PIECE = "x".repeat(65_000);
/** Message of a sender to itself; its arrival shows that the relay accepted the message before it. */
const ACCEPTED = "accepted";
const MEMBERS = 200;
const PUBLISHES = 20;

describe.each(runtimes)("a client that stops reading, on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_HEARTBEAT_MS: "200", RELAY_MAX_BUFFERED_BYTES: "200000" } });

  test("gets no more messages: its sender is told too_slow for each, and other clients are served", async () => {
    const [sender, other] = [await server().connect(), await server().connect()];
    const { id } = await connectSlowReader(server());
    await sendUntil(sender, id, "too_slow");
    sender.send(`${other.id}:hello`);
    await expect(other.next()).resolves.toBe("hello");
    await expect(other).toStaySilent();
  });

  test("is closed with 4000 after three beats, and finds the close frame when it reads again", async () => {
    const sender = await server().connect();
    const { raw, id } = await connectSlowReader(server());
    await sendUntil(sender, id, "no_such_id");
    const left = await server().untilLeft(id);
    expect(left).toMatchObject({ by: "relay", code: 4000 });
    raw.resume();
    await expect(raw.closeCode()).resolves.toBe(4000);
  });

  test("loses its connection when it never reads again", async () => {
    const sender = await server().connect();
    const { raw, id } = await connectSlowReader(server());
    await sendUntil(sender, id, "no_such_id");
    if (runtime.exceptions.cannotTerminate !== undefined) {
      raw.resume();
      await expect(raw.closeCode()).resolves.toBe(4000);
      return;
    }
    // A paused socket reports errors only; a write to a socket that the server has dropped causes one.
    await within(raw.gone, "the end of the connection");
  });

  test("takes no more memory than its buffer, however much is sent to it", async () => {
    const sender = await server().connect();
    const { id } = await connectSlowReader(server());
    await sendUntil(sender, id, "too_slow");
    const before = server().process.rssBytes;
    // 130 MB in all. The process may grow by garbage; if it kept the messages, it would grow by 130 MB.
    for (let piece = 0; piece < 2000; piece++) await answerTo(sender, id);
    expect(server().process.rssBytes - before).toBeLessThan(64 * MEBIBYTE);
  });

  test("gets every accepted message in order when it reads again, even with pongs between them", async () => {
    const sender = await server().connect();
    const { raw, id } = await connectSlowReader(server());
    let accepted = 0;
    for (; (await answerTo(sender, id, `${accepted} ${PIECE}`)) === ACCEPTED; accepted++) {
      raw.send({ opcode: OPCODES.ping });
    }
    raw.resume();
    for (let count = 0; count < accepted; count++) expect((await raw.next()) === `${count} ${PIECE}`).toBe(true);
    sender.send(`${id}:and on`);
    await expect(raw.next()).resolves.toBe("and on");
  });
});

describe.each(runtimes)(`a room of ${MEMBERS} with a member that stops reading, on $name`, (runtime) => {
  // The long beat keeps the relay from closing the slow member, which takes three beats.
  const server = sharedServer(runtime, { env: { RELAY_MAX_BUFFERED_BYTES: "200000", RELAY_HEARTBEAT_MS: "60000" } });

  test("delivers everything to the others meanwhile, and counts only them as recipients", async () => {
    const sender = await server().connect();
    const publisher = await connectJson(server());
    expect(await publisher.ask({ type: "join", room: "crowd" })).toEqual({ outcome: "done" });
    const members: RawClient[] = [];
    for (let count = 0; count < MEMBERS; count++) members.push(await joinCrowd(server()));
    onTestFinished(() => {
      for (const member of members) member.reset();
    });
    const [slow, ...others] = members;
    const slowId = /^:welcome (\S+)/.exec(String(await slow?.next()))?.[1] ?? "";
    slow?.pause();
    await sendUntil(sender, slowId, "too_slow");
    for (let number = 0; number < PUBLISHES; number++) {
      publisher.send({ type: "publish", room: "crowd", data: String(number), ackId: number });
    }
    const acks = new Map<unknown, unknown>();
    while (acks.size < PUBLISHES) {
      const { type, ackId, recipients } = await publisher.next();
      if (type === "ack") acks.set(ackId, recipients);
    }
    expect(new Set(acks.values())).toEqual(new Set([others.length]));
    for (const member of others) {
      for (let number = 0; number < PUBLISHES; number++) {
        expect(await nextOfCrowd(member)).toBe(`${publisher.id}#crowd:${number}`);
      }
    }
  });
});

/** Connects a client of `relay.v1.text` that joins the room. */
async function joinCrowd(server: Server): Promise<RawClient> {
  const raw = await server.openRaw({ path: "/ws", headers: { "Sec-WebSocket-Protocol": TEXT_PROTOCOL } });
  raw.text(":join crowd");
  return raw;
}

/** Takes the next message that was published in the room. */
async function nextOfCrowd(raw: RawClient): Promise<string> {
  for (;;) {
    const line = String(await raw.next());
    if (line.includes("#crowd:")) return line;
  }
}

/** Connects a client that reads nothing, and sends pongs so that the heartbeat keeps it. */
async function connectSlowReader(server: Server): Promise<{ readonly raw: RawClient; readonly id: string }> {
  const { raw, id } = await server.connectRaw();
  raw.pause();
  const talk = setInterval(() => raw.send({ opcode: OPCODES.pong }), 50);
  onTestFinished(() => {
    clearInterval(talk);
    raw.reset();
  });
  return { raw, id };
}

/** Sends to the client until the relay answers with this error. */
async function sendUntil(sender: Client, id: string, code: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    if ((await answerTo(sender, id)).startsWith(`:error ${code} `)) return;
  }
  throw new Error(`Sent for ${PATIENCE_MS} ms to a client that reads nothing, and was not told ${code}`);
}

/** Sends to the client. @returns The relay's error, or `ACCEPTED` where there is none. */
async function answerTo(sender: Client, id: string, message = PIECE): Promise<string> {
  sender.send(`${id}:${message}`);
  sender.send(`${sender.id}:${ACCEPTED}`);
  const answer = String(await sender.next());
  if (answer !== ACCEPTED) await expect(sender.next()).resolves.toBe(ACCEPTED);
  return answer;
}
