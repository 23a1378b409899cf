import { describe, expect, test } from "vitest";
import { connectJson, connectWatcher, JSON_PROTOCOL, nextMessages, readFrame } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";

const DELIVERED = { outcome: "delivered" };
const DONE = { outcome: "done" };

describe.each(runtimes)("relay.v1.json on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_MAX_MESSAGE_BYTES: "100000", RELAY_RESUME_MS: "12345" } });

  test("welcomes a client with its id, its resume token and its limits", async () => {
    const { welcome } = await connectJson(server());
    expect(welcome).toEqual({
      type: "welcome",
      id: expect.stringMatching(/^\d+$/),
      resumeToken: expect.stringMatching(/^\S{32,}$/),
      resumed: false,
      recovered: true,
      heartbeatMs: 5000,
      resumeMs: 12345,
      limits: { maxMessageBytes: 100_000, maxUnackedSends: 256 },
    });
  });

  test("acknowledges a send under its ackId, and delivers it with its sender and its number", async () => {
    const [one, two, three] = [await connectJson(server()), await connectJson(server()), await connectJson(server())];
    one.send({ type: "send", to: two.id, data: { text: "hello" }, ackId: 7 });
    expect(await one.next()).toEqual({ type: "ack", ackId: 7, outcome: "delivered" });
    expect(await two.next()).toEqual({ type: "message", from: one.id, data: { text: "hello" }, sequenceId: 1 });
    await expect(three).toStaySilent();
  });

  test("does not acknowledge a send without an ackId", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    one.send({ type: "send", to: two.id, data: 1 });
    expect(await two.next()).toMatchObject({ data: 1 });
    await expect(one).toStaySilent();
  });

  test("accepts the smallest and the largest ackId", async () => {
    const one = await connectJson(server());
    for (const ackId of [0, Number.MAX_SAFE_INTEGER]) {
      one.send({ type: "send", to: one.id, data: ackId, ackId });
      expect(await one.next()).toMatchObject({ type: "message", data: ackId });
      expect(await one.next()).toEqual({ type: "ack", ackId, outcome: "delivered" });
    }
  });

  test("carries bytes as base64, with the field encoding", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    const data = Buffer.from([0, 1, 254, 255]).toString("base64");
    expect(await one.ask({ type: "send", to: two.id, data, encoding: "base64" })).toEqual(DELIVERED);
    expect(await two.next()).toEqual({ type: "message", from: one.id, data, encoding: "base64", sequenceId: 1 });
  });

  test("ignores unknown fields", async () => {
    const one = await connectJson(server());
    one.sendRaw(`{"from":"0","type":"send","__proto__":{"to":"0"},"to":"${one.id}","data":1,"later":[{}]}`);
    expect(await one.next()).toEqual({ type: "message", from: one.id, data: 1, sequenceId: 1 });
  });

  test("numbers a receiver's messages 1, 2, 3, in the order of each sender", async () => {
    const [one, two, three] = [await connectJson(server()), await connectJson(server()), await connectJson(server())];
    for (let number = 0; number < 300; number++) {
      for (const sender of [one, two]) sender.send({ type: "send", to: three.id, data: [sender.id, number] });
    }
    const messages = await nextMessages(three, 600);
    expect(messages.map(([sequenceId]) => sequenceId)).toEqual(Array.from({ length: 600 }, (_, index) => index + 1));
    for (const { id } of [one, two]) {
      const own = messages.map(([, data]) => data as [string, number]).filter(([sender]) => sender === id);
      expect(own.map(([, number]) => number)).toEqual(Array.from({ length: 300 }, (_, number) => number));
    }
  });

  test("answers a client's frames in the order of sending", async () => {
    const one = await connectJson(server());
    const frames = [
      { type: "ping" },
      { type: "join", room: "order", ackId: 1 },
      { type: "members", room: "order", ackId: 2 },
      { type: "send", to: "9999", data: 1, ackId: 3 },
      { type: "pong" },
      { type: "unwatch", id: "9999", ackId: 4 },
      { type: "nonsense" },
      { type: "leave", room: "order", ackId: 5 },
      { type: "ping" },
    ];
    for (const frame of frames) one.send(frame);
    const answers: unknown[] = [];
    for (let count = 0; count < 8; count++) {
      const { type, ackId } = await one.next();
      answers.push(ackId ?? type);
    }
    expect(answers).toEqual(["pong", 1, 2, 3, 4, "error", 5, "pong"]);
  });

  test("acknowledges a join and tells the other members; a repeated join is no error and no event", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    expect(await one.ask({ type: "join", room: "joiners" })).toEqual(DONE);
    expect(await two.ask({ type: "join", room: "joiners" })).toEqual(DONE);
    expect(await two.ask({ type: "join", room: "joiners" })).toEqual(DONE);
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "joiners", event: "joined" });
    expect(await one.ask({ type: "members", room: "joiners" })).toEqual({ outcome: "done", members: [one.id, two.id] });
    expect(await two.ask({ type: "leave", room: "joiners" })).toEqual(DONE);
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "joiners", event: "left" });
    expect(await one.ask({ type: "members", room: "joiners" })).toEqual({ outcome: "done", members: [one.id] });
    await expect(two).toStaySilent();
  });

  test("delivers a publish to the other members and returns their count; echo includes the sender", async () => {
    const clients = [await connectJson(server()), await connectJson(server()), await connectJson(server())] as const;
    const [one, two, outside] = clients;
    for (const client of [one, two]) await client.ask({ type: "join", room: "news" });
    expect(await one.next()).toMatchObject({ type: "presence" });
    expect(await one.ask({ type: "publish", room: "news", data: 1 })).toEqual({ outcome: "delivered", recipients: 1 });
    expect(await two.next()).toEqual({ type: "message", from: one.id, room: "news", data: 1, sequenceId: 1 });
    one.send({ type: "publish", room: "news", data: "all", echo: true, ackId: 9 });
    expect(await one.next()).toEqual({ type: "message", from: one.id, room: "news", data: "all", sequenceId: 1 });
    expect(await one.next()).toEqual({ type: "ack", ackId: 9, outcome: "delivered", recipients: 2 });
    expect(await two.next()).toEqual({ type: "message", from: one.id, room: "news", data: "all", sequenceId: 2 });
    await expect(outside).toStaySilent();
  });

  test("delivers a publish in a room without other members to nobody", async () => {
    const one = await connectJson(server());
    await one.ask({ type: "join", room: "alone" });
    expect(await one.ask({ type: "publish", room: "alone", data: 1 })).toEqual({ outcome: "delivered", recipients: 0 });
    await expect(one).toStaySilent();
  });

  test("tells a watcher the state of the id at once, and then each change", async () => {
    const one = await connectJson(server());
    const nextId = String(Number((await connectJson(server())).id) + 1);
    expect(await one.ask({ type: "watch", id: nextId })).toEqual(DONE);
    expect(await one.next()).toEqual({ type: "presence", id: nextId, event: "offline" });
    const two = await connectJson(server());
    expect(two.id).toBe(nextId);
    expect(await one.next()).toEqual({ type: "presence", id: two.id, event: "online" });
    await two.close(1000);
    expect(await one.next()).toEqual({ type: "presence", id: two.id, event: "offline" });
  });

  test("tells a client nothing more about an id after unwatch", async () => {
    const two = await connectJson(server());
    const [one, other] = [await connectWatcher(server(), two.id), await connectWatcher(server(), two.id)];
    expect(await one.ask({ type: "unwatch", id: two.id })).toEqual(DONE);
    await two.close(1000);
    expect(await other.next()).toEqual({ type: "presence", id: two.id, event: "offline" });
    await expect(one).toStaySilent();
  });

  test("lets clients watch a plain client", async () => {
    const plain = await server().connect();
    const watcher = await connectWatcher(server(), plain.id);
    plain.drop();
    expect(await watcher.next()).toEqual({ type: "presence", id: plain.id, event: "offline" });
  });

  test("closes the sender of a message over RELAY_MAX_MESSAGE_BYTES with 1009, and ends its session", async () => {
    const one = await connectJson(server());
    const watcher = await connectWatcher(server(), one.id);
    one.send({ type: "send", to: one.id, data: "x".repeat(100_000) });
    await expect(one.untilClosed()).resolves.toMatchObject({ code: 1009 });
    expect(await watcher.next()).toEqual({ type: "presence", id: one.id, event: "offline" });
    expect(await watcher.ask({ type: "send", to: one.id, data: 1 })).toMatchObject({ error: { code: "no_such_id" } });
  });
});

describe.each(runtimes)("pings in relay.v1.json on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_HEARTBEAT_MS: "100" } });

  test("are sent to a client in every beat, whether it sends frames or not", async () => {
    const client = await server().open("/ws", [JSON_PROTOCOL]);
    expect(readFrame(await client.next())).toMatchObject({ type: "welcome", heartbeatMs: 100 });
    for (let beat = 0; beat < 3; beat++) {
      expect(readFrame(await client.next())).toEqual({ type: "ping" });
      client.send('{"type":"pong"}');
    }
    let pings = 0;
    // The client answers each pong with a ping, so that it is never silent for a beat.
    for (client.send('{"type":"ping"}'); pings < 3; ) {
      const { type } = readFrame(await client.next());
      if (type === "ping") pings++;
      else client.send('{"type":"ping"}');
    }
  });

  test("are answered at once when a client sends them", async () => {
    const one = await connectJson(server());
    for (let count = 0; count < 5; count++) one.send({ type: "ping" });
    for (let count = 0; count < 5; count++) expect(await one.next()).toEqual({ type: "pong" });
  });
});
