import { describe, expect, test } from "vitest";
import { connectJson, type JsonClient } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { connectText } from "./text-client.ts";

const WINDOW_MS = 1000;
/** Most presence events about one client in one room, or to one watcher, in one window (docs/protocol.md). */
const CHANGES_IN_WINDOW = 4;
const FLAPS = 200;

/** Returns the most presence events that another client may have received since then. */
function maxEventsSince(startedAt: number): number {
  return CHANGES_IN_WINDOW * (2 + Math.floor((performance.now() - startedAt) / WINDOW_MS));
}

describe.each(runtimes)("a client that keeps coming and going (flapping), on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_HEARTBEAT_MS: String(WINDOW_MS) } });

  test("causes few presence events a beat in its room, with the right one at the end", async () => {
    const room = "flapping";
    const members: JsonClient[] = [];
    while (members.length < 3) members.push(await connectToRoom(server(), room));
    const line = await connectText(server());
    line.send(`:join ${room}`);
    const flapping = await connectJson(server());
    const startedAt = performance.now();
    for (let count = 0; count < FLAPS; count++) {
      flapping.send({ type: "join", room });
      flapping.send({ type: "leave", room });
    }
    expect(await flapping.ask({ type: "join", room })).toEqual({ outcome: "done" });
    expect(await flapping.ask({ type: "publish", room, data: "last" })).toMatchObject({ recipients: 4 });

    for (const member of members) {
      const events = await eventsBefore(member, flapping.id, "last");
      expect(events.length).toBeLessThanOrEqual(maxEventsSince(startedAt));
      expect(events.every((event, index) => event === (index % 2 === 0 ? "joined" : "left"))).toBe(true);
      if (events.at(-1) !== "joined") expect(await nextEvent(member, flapping.id)).toBe("joined");
      expect((await askMembers(member, room)).sort()).toEqual([...members, line, flapping].map(({ id }) => id).sort());
    }
    const lines: string[] = [];
    for (let isLast = false; !isLast || !lines.at(-1)?.startsWith(":joined "); ) {
      const next = String(await line.next());
      if (next === `${flapping.id}#${room}:last`) isLast = true;
      else if (next.split(" ")[1] === flapping.id) lines.push(next);
    }
    expect(lines.length).toBeLessThanOrEqual(maxEventsSince(startedAt));
  });

  test("causes few presence events a beat at its watcher, with the right one at the end", async () => {
    let flapping = await connectJson(server());
    const watcher = await connectJson(server());
    await watcher.ask({ type: "watch", id: flapping.id });
    const startedAt = performance.now();
    expect(await nextEvent(watcher, flapping.id)).toBe("online");
    for (let count = 0; count < 20; count++) {
      await flapping.close(4000);
      flapping = await connectJson(server(), { resume: flapping.token });
    }
    watcher.send({ type: "send", to: watcher.id, data: "last" });
    const events = await eventsBefore(watcher, flapping.id, "last");
    expect(events.length).toBeLessThanOrEqual(maxEventsSince(startedAt));
    let last: unknown = events.at(-1) ?? "online";
    while (last !== "online") last = await nextEvent(watcher, flapping.id);
    await flapping.close(4000);
    while (last !== "offline") last = await nextEvent(watcher, flapping.id);
  });

  test("receives online for its own id after each resume, of an open and of a lost connection", async () => {
    let client = await connectJson(server());
    await client.ask({ type: "watch", id: client.id });
    expect(await nextEvent(client, client.id)).toBe("online");
    for (const isOpen of [true, false]) {
      if (!isOpen) await client.close(4000);
      const back = await connectJson(server(), { resume: client.token });
      expect(await nextEvent(back, client.id)).toBe("online");
      expect(await back.receivedNothing()).toBe(true);
      client = back;
    }
  });
});

async function connectToRoom(server: Server, room: string): Promise<JsonClient> {
  const client = await connectJson(server);
  await client.ask({ type: "join", room });
  return client;
}

/** Collects the presence events about an id that a client receives before the message with this data. */
async function eventsBefore(client: JsonClient, id: string, data: string): Promise<unknown[]> {
  const events: unknown[] = [];
  for (;;) {
    const frame = await client.next();
    if (frame.type === "presence" && frame.id === id) events.push(frame.event);
    if (frame.type === "message" && frame.data === data) return events;
  }
}

async function nextEvent(client: JsonClient, id: string): Promise<unknown> {
  for (;;) {
    const frame = await client.next();
    if (frame.type === "presence" && frame.id === id) return frame.event;
  }
}

async function askMembers(client: JsonClient, room: string): Promise<unknown[]> {
  client.send({ type: "members", room, ackId: 1_000_000 });
  for (;;) {
    const frame = await client.next();
    if (frame.type === "ack" && Array.isArray(frame.members)) return frame.members;
  }
}
