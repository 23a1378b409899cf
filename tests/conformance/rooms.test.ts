import { describe, expect, test } from "vitest";
import { connectJson, type JsonClient, loseConnection, nextMessages } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { connectText } from "./text-client.ts";

describe.each(runtimes)("rooms on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("tell their members when one loses its connection, comes back and leaves", async () => {
    const [one, two] = await connectMembers(server(), "fates");
    const line = await connectText(server());
    line.send(":join fates");
    await expect(line.next()).resolves.toBe(`:joined ${line.id} fates`);
    for (const member of [one, two]) expect(await member.next()).toMatchObject({ id: line.id, event: "joined" });

    two.drop();
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "fates", event: "offline" });
    await expect(line.next()).resolves.toBe(`:offline ${two.id} fates`);
    const back = await connectJson(server(), { resume: two.token });
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "fates", event: "online" });
    await expect(line.next()).resolves.toBe(`:online ${two.id} fates`);
    await back.close(1000);
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "fates", event: "left" });
    await expect(line.next()).resolves.toBe(`:left ${two.id} fates`);
    expect(await one.ask({ type: "members", room: "fates" })).toEqual({ outcome: "done", members: [one.id, line.id] });
  });

  test("keep a member that is away: it is listed and counted, and gets what is published", async () => {
    const [one, two, three] = await connectMembers(server(), "kept", 3);
    await loseConnection(server(), two);
    for (const member of [one, three]) expect(await member.next()).toMatchObject({ id: two.id, event: "offline" });
    const outcome = await one.ask({ type: "publish", room: "kept", data: "to all" });
    expect(outcome).toEqual({ outcome: "delivered", recipients: 2 });
    const members = [one.id, two.id, three.id];
    expect(await one.ask({ type: "members", room: "kept" })).toEqual({ outcome: "done", members });
    const back = await connectJson(server(), { resume: two.token });
    expect(await back.next()).toMatchObject({ type: "message", from: one.id, room: "kept", data: "to all" });
    expect(await back.ask({ type: "publish", room: "kept", data: "back" })).toMatchObject({ recipients: 2 });
  });

  test("do not count a recipient whose mailbox is full, which learns of the loss when it comes back", async () => {
    const [one, two, three] = await connectMembers(server(), "lossy", 3);
    await loseConnection(server(), two);
    for (const member of [one, three]) expect(await member.next()).toMatchObject({ id: two.id, event: "offline" });
    const big = "x".repeat(600_000);
    const publish = { type: "publish", room: "lossy", data: big };
    expect(await one.ask(publish)).toEqual({ outcome: "delivered", recipients: 2 });
    expect(await one.ask(publish)).toEqual({ outcome: "delivered", recipients: 1 });
    expect(await one.ask({ ...publish, data: "small" })).toEqual({ outcome: "delivered", recipients: 2 });
    const back = await connectJson(server(), { resume: two.token });
    expect(back.welcome).toMatchObject({ resumed: true, recovered: false });
    const messages = await nextMessages(back, 2);
    expect(messages.map(([, data]) => data === big || data)).toEqual([true, "small"]);
  });

  test("send messages and events only to their members", async () => {
    const [one, two] = await connectMembers(server(), "private");
    const outside = await connectJson(server());
    const three = await connectJson(server());
    await three.ask({ type: "join", room: "private" });
    await three.ask({ type: "publish", room: "private", data: 1 });
    await three.close(1000);
    for (const member of [one, two]) {
      expect(await member.next()).toMatchObject({ event: "joined" });
      expect(await member.next()).toMatchObject({ data: 1 });
      expect(await member.next()).toMatchObject({ event: "left" });
    }
    await expect(outside).toStaySilent();
  });

  test("can have any valid name, even one that is special in JavaScript", async () => {
    for (const room of ["__proto__", "constructor", "0", "~", "-".repeat(64)]) {
      const [one, two] = await connectMembers(server(), room);
      expect(await one.ask({ type: "publish", room, data: room })).toEqual({ outcome: "delivered", recipients: 1 });
      expect(await two.next()).toMatchObject({ type: "message", room, data: room });
      expect(await two.ask({ type: "members", room })).toEqual({ outcome: "done", members: [one.id, two.id] });
    }
  });
});

describe.each(runtimes)("RELAY_MAX_ROOMS_PER_SESSION on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_MAX_ROOMS_PER_SESSION: "1" } });

  test("forbids one more room until the session leaves another; joining the same room twice is allowed", async () => {
    const one = await connectJson(server());
    expect(await one.ask({ type: "join", room: "first" })).toEqual({ outcome: "done" });
    const error = { code: "forbidden", message: expect.stringContaining("second"), temporary: false };
    expect(await one.ask({ type: "join", room: "second" })).toEqual({ outcome: "failed", error });
    one.send({ type: "join", room: "second" });
    expect(await one.next()).toEqual({ type: "error", error });
    expect(await one.ask({ type: "join", room: "first" })).toEqual({ outcome: "done" });
    expect(await one.ask({ type: "leave", room: "first" })).toEqual({ outcome: "done" });
    expect(await one.ask({ type: "join", room: "second" })).toEqual({ outcome: "done" });
  });

  test("answers a client of relay.v1.text with :error forbidden and the room", async () => {
    const one = await connectText(server());
    one.send(":join first");
    await expect(one.next()).resolves.toBe(`:joined ${one.id} first`);
    one.send(":join second");
    await expect(one.next()).resolves.toBe(":error forbidden second");
  });
});

/** Connects clients that join the room, and takes the events that they cause. */
async function connectMembers(server: Server, room: string): Promise<[JsonClient, JsonClient]>;
async function connectMembers(server: Server, room: string, count: 3): Promise<[JsonClient, JsonClient, JsonClient]>;
async function connectMembers(server: Server, room: string, count = 2): Promise<JsonClient[]> {
  const members: JsonClient[] = [];
  for (let number = 0; number < count; number++) {
    const client = await connectJson(server);
    expect(await client.ask({ type: "join", room })).toEqual({ outcome: "done" });
    for (const member of members) {
      expect(await member.next()).toEqual({ type: "presence", id: client.id, room, event: "joined" });
    }
    members.push(client);
  }
  return members;
}
