import { describe, expect, test } from "vitest";
import { connectJson, JSON_BYTES_PROTOCOL, loseConnection } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";
import { connectText } from "./text-client.ts";

const protocol = JSON_BYTES_PROTOCOL;
const BYTES = Buffer.from(Array.from({ length: 257 }, (_, index) => index % 256));

function inBinary(head: object, body: Uint8Array = BYTES): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

describe.each(runtimes)("relay.v1.json-bytes on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_MAX_MESSAGE_BYTES: "200000" } });

  test.each([0, 1, 100, 125, 126, 65_400, 65_536, 199_900])("carries %i bytes in a binary frame", async (length) => {
    const [one, two] = [await connectJson(server(), { protocol }), await connectJson(server(), { protocol })];
    const body = Buffer.from(Uint8Array.from({ length }, (_, at) => at * 31));
    one.sendRaw(inBinary({ type: "send", to: two.id, ackId: 7 }, body));
    expect(await one.next()).toEqual({ type: "ack", ackId: 7, outcome: "delivered" });
    expect(await two.next()).toEqual({ type: "message", from: one.id, sequenceId: 1, body });
  });

  test("carries text and JSON in text frames, and numbers all messages together", async () => {
    const one = await connectJson(server(), { protocol });
    one.send({ type: "send", to: one.id, data: { text: "您好" } });
    one.sendRaw(inBinary({ type: "send", to: one.id }));
    one.send({ type: "send", to: one.id, data: "AAE=", encoding: "base64" });
    expect(await one.next()).toEqual({ type: "message", from: one.id, data: { text: "您好" }, sequenceId: 1 });
    expect(await one.next()).toEqual({ type: "message", from: one.id, sequenceId: 2, body: BYTES });
    expect(await one.next()).toEqual({ type: "message", from: one.id, sequenceId: 3, body: Buffer.from([0, 1]) });
  });

  test("exchanges bytes with the clients of every other protocol, in a room too", async () => {
    const one = await connectJson(server(), { protocol });
    const [json, plain, text] = [await connectJson(server()), await server().connect(), await connectText(server())];
    for (const { id } of [json, plain, text]) one.sendRaw(inBinary({ type: "send", to: id }));
    const base64 = { data: BYTES.toString("base64"), encoding: "base64" };
    expect(await json.next()).toEqual({ type: "message", from: one.id, ...base64, sequenceId: 1 });
    await expect(plain.next()).resolves.toEqual(BYTES);
    await expect(text.next()).resolves.toEqual(Buffer.concat([Buffer.from(`${one.id}:`), BYTES]));
    plain.send(Buffer.concat([Buffer.from(`${one.id}:`), BYTES]));
    expect(await one.next()).toEqual({ type: "message", from: plain.id, sequenceId: 1, body: BYTES });

    for (const client of [one, json])
      expect(await client.ask({ type: "join", room: "mixed" })).toEqual({ outcome: "done" });
    expect(await one.next()).toMatchObject({ type: "presence", id: json.id });
    json.send({ type: "publish", room: "mixed", ...base64 });
    expect(await one.next()).toEqual({ type: "message", from: json.id, room: "mixed", sequenceId: 2, body: BYTES });
    one.sendRaw(inBinary({ type: "publish", room: "mixed", echo: true, ackId: 9 }));
    expect(await one.next()).toEqual({ type: "message", from: one.id, room: "mixed", sequenceId: 3, body: BYTES });
    expect(await one.next()).toEqual({ type: "ack", ackId: 9, outcome: "delivered", recipients: 2 });
    expect(await json.next()).toMatchObject({ type: "message", room: "mixed", ...base64 });
  });

  test("keeps bytes for a session that is away, and sends them again with their numbers", async () => {
    const [one, two] = [await connectJson(server(), { protocol }), await connectJson(server(), { protocol })];
    one.sendRaw(inBinary({ type: "send", to: two.id }));
    expect(await two.next()).toMatchObject({ sequenceId: 1 });
    await loseConnection(server(), two);
    one.sendRaw(inBinary({ type: "send", to: two.id, ackId: 1 }, Buffer.from("second")));
    expect(await one.next()).toEqual({ type: "ack", ackId: 1, outcome: "queued" });
    const back = await connectJson(server(), { protocol, resume: two.token });
    expect(back.welcome).toMatchObject({ id: two.id, resumed: true, recovered: true });
    expect(await back.next()).toEqual({ type: "message", from: one.id, sequenceId: 1, body: BYTES });
    expect(await back.next()).toMatchObject({ sequenceId: 2, body: Buffer.from("second") });
  });

  test.each([
    ["nothing", Buffer.alloc(0), undefined],
    ["no line feed", Buffer.from('{"type":"send","to":"1"}'), undefined],
    ["100 kB without a line feed", Buffer.alloc(100_000, "{"), undefined],
    ["a head that is no JSON", Buffer.from("hello\nbytes"), undefined],
    ["a head that is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d, 0x0a]), undefined],
    ["data in its head", inBinary({ type: "send", to: "1", data: 1, ackId: 4 }), 4],
    ["a command in its head", inBinary({ type: "join", room: "lobby", ackId: 4 }), 4],
    ["a head that is nested too deep", Buffer.from(`{"ackId":4,"x":${"[".repeat(200)}${"]".repeat(200)}}\n`), 4],
  ])("answers bad_frame to a binary frame with %s, and goes on", async (_what, frame, ackId) => {
    const one = await connectJson(server(), { protocol });
    one.sendRaw(frame);
    expect(await one.next()).toMatchObject({
      ...(ackId === undefined ? { type: "error" } : { type: "ack", ackId, outcome: "failed" }),
      error: { code: "bad_frame", temporary: false },
    });
    await expect(one).toStaySilent();
  });

  test("closes with 1009 when head and bytes together are over the limit", async () => {
    const one = await connectJson(server(), { protocol });
    const head = { type: "send", to: one.id };
    one.sendRaw(inBinary(head, Buffer.alloc(200_001 - inBinary(head, Buffer.alloc(0)).length)));
    expect(await one.untilClosed()).toMatchObject({ code: 1009 });
  });
});
