import { describe, expect, test } from "vitest";
import { connectJson, type JsonClient, loseConnection } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";

const HALF_MEBIBYTE = 524_288;

/** Invalid frames of valid JSON, each with the code of its refusal. */
const REFUSED: readonly (readonly [code: string, frame: object])[] = [
  ["bad_frame", {}],
  ["bad_frame", { type: "shout", to: "1", data: 1 }],
  ["bad_frame", { type: 1 }],
  ["bad_frame", { type: "welcome" }],
  ["bad_frame", { type: "send", data: 1 }],
  ["bad_frame", { type: "send", to: 1, data: 1 }],
  ["bad_frame", { type: "send", to: "1" }],
  ["bad_frame", { type: "send", to: "1", data: "AA==", encoding: "hex" }],
  ["bad_frame", { type: "send", to: "1", data: "not base64!", encoding: "base64" }],
  ["bad_frame", { type: "send", to: "1", data: 1, encoding: "base64" }],
  ["bad_frame", { type: "publish", data: 1 }],
  ["bad_frame", { type: "publish", room: "r", data: 1, echo: "yes" }],
  ["bad_frame", { type: "join" }],
  ["bad_frame", { type: "leave", room: null }],
  ["bad_frame", { type: "members", room: ["r"] }],
  ["bad_frame", { type: "watch", room: "r" }],
  ["bad_frame", { type: "unwatch", id: 1 }],
  ["bad_frame", { type: "sequenceAck" }],
  ["bad_frame", { type: "sequenceAck", sequenceId: -1 }],
  ["bad_frame", { type: "sequenceAck", sequenceId: 1.5 }],
  ["bad_id", { type: "send", to: "", data: 1 }],
  ["bad_id", { type: "send", to: "a:b", data: 1 }],
  ["bad_id", { type: "send", to: "9".repeat(65), data: 1 }],
  ["bad_id", { type: "publish", room: "#room", data: 1 }],
  ["bad_id", { type: "join", room: "您" }],
  ["bad_id", { type: "leave", room: " " }],
  ["bad_id", { type: "members", room: "a/b" }],
  ["bad_id", { type: "watch", id: "a b" }],
  ["bad_id", { type: "unwatch", id: "\n" }],
  ["no_such_id", { type: "send", to: "9999", data: 1 }],
  ["no_such_id", { type: "send", to: "01", data: 1 }],
  ["no_such_id", { type: "send", to: "__proto__", data: 1 }],
  ["not_in_room", { type: "publish", room: "nowhere", data: 1 }],
  ["not_in_room", { type: "leave", room: "nowhere" }],
  ["not_in_room", { type: "members", room: "constructor" }],
];

/** Values that are no valid `ackId`: the relay answers with an `error` frame instead of an `ack`. */
const NOT_ACK_IDS = ["1", -1, 1.5, 2 ** 53, null, {}];

/** Messages that are not JSON, or no object. */
const NOT_FRAMES = ["", "{", "x", "null", "[]", '"send"', "1:hello", "{} {}", "\ufeff{}", '{"type":"ping"}\u0000'];

describe.each(runtimes)("a frame of relay.v1.json on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(REFUSED)("is refused with %s, in an ack under its ackId or in an error frame: %j", async (code, frame) => {
    const one = await connectJson(server());
    const error = { code, message: expect.stringMatching(/^Cannot [^\r\n]+$/), temporary: false };
    expect(await one.ask(frame)).toEqual({ outcome: "failed", error });
    one.send(frame);
    expect(await one.next()).toEqual({ type: "error", error });
    await expect(one).toStaySilent();
  });

  test.each(NOT_ACK_IDS)("is refused with bad_frame in an error frame where the ackId is %j", async (ackId) => {
    const one = await connectJson(server());
    one.send({ type: "send", to: one.id, data: 1, ackId });
    expect(await one.next()).toMatchObject({ type: "error", error: { code: "bad_frame" } });
    await expect(one).toStaySilent();
  });

  test.each(NOT_FRAMES)("is refused with bad_frame where it is no JSON object: %j", async (message) => {
    const one = await connectJson(server());
    one.sendRaw(message);
    expect(await one.next()).toMatchObject({ type: "error", error: { code: "bad_frame", temporary: false } });
    await expect(one).toStaySilent();
  });

  test("is refused with bad_frame where it is binary, even with valid JSON in it", async () => {
    const one = await connectJson(server());
    one.sendRaw(Buffer.from('{"type":"ping"}'));
    expect(await one.next()).toMatchObject({ type: "error", error: { code: "bad_frame" } });
    await expect(one).toStaySilent();
  });

  test("is refused with bad_frame where it is nested 400,000 levels deep", async () => {
    const one = await connectJson(server());
    const deep = "[".repeat(400_000) + "]".repeat(400_000);
    one.sendRaw(`{"type":"send","to":"${one.id}","data":${deep}}`);
    expect(await one.next()).toMatchObject({ type: "error", error: { code: "bad_frame" } });
    await expect(one).toStaySilent();
    await server().relayOne();
  });

  test("is refused with duplicate and the first outcome where an earlier send had its ackId", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    const first = { type: "send", to: two.id, data: "once", ackId: 1 };
    const failing = { type: "send", to: "9999", data: 1, ackId: 2 };
    const published = { type: "publish", room: "dup", data: "once", ackId: 3 };
    for (const client of [one, two]) await client.ask({ type: "join", room: "dup" });
    expect(await one.next()).toMatchObject({ type: "presence" });
    const originals: object[] = [];
    for (const frame of [first, failing, published]) {
      one.send(frame);
      const { type, ackId, ...original } = await one.next();
      expect(ackId).toBe(frame.ackId);
      originals.push(original);
    }
    expect(originals).toMatchObject([
      { outcome: "delivered" },
      { outcome: "failed", error: { code: "no_such_id" } },
      { outcome: "delivered", recipients: 1 },
    ]);
    for (const frame of [first, failing, published]) {
      one.send({ ...frame, data: "again" });
      const error = { code: "duplicate", message: expect.stringContaining(`${frame.ackId}`), temporary: false };
      const original = originals[frame.ackId - 1];
      expect(await one.next()).toEqual({ type: "ack", ackId: frame.ackId, outcome: "failed", error, original });
    }
    expect(await two.next()).toMatchObject({ data: "once", sequenceId: 1 });
    expect(await two.next()).toMatchObject({ data: "once", room: "dup", sequenceId: 2 });
    await expect(two).toStaySilent();
  });

  test("is refused with duplicate where it repeats one of the latest 256 sends; an older one is sent", async () => {
    const one = await connectJson(server());
    await one.acknowledge(0);
    const askFor = async (ackIds: readonly number[], codeOf: (ackId: number) => string): Promise<void> => {
      for (const ackId of ackIds) one.send({ type: "send", to: "9999", data: 1, ackId });
      for (const ackId of ackIds) expect(await one.next()).toMatchObject({ ackId, error: { code: codeOf(ackId) } });
    };
    const latest = Array.from({ length: 256 }, (_, index) => index + 1);
    await askFor([0], () => "no_such_id");
    await askFor(latest, () => "no_such_id");
    await askFor(latest.toReversed(), () => "duplicate");
    await askFor([0], () => "no_such_id");
  });

  test("is never a duplicate where it is no send, since it can be repeated without harm", async () => {
    const one = await connectJson(server());
    for (const frame of [
      { type: "join", room: "again" },
      { type: "members", room: "again" },
      { type: "unwatch", id: "1" },
      { type: "join", room: "again" },
    ]) {
      one.send({ ...frame, ackId: 5 });
      expect(await one.next()).toMatchObject({ type: "ack", ackId: 5, outcome: "done" });
    }
    one.send({ type: "send", to: one.id, data: 1, ackId: 5 });
    expect(await one.next()).toMatchObject({ type: "message" });
    expect(await one.next()).toEqual({ type: "ack", ackId: 5, outcome: "delivered" });
  });

  test("is refused with forbidden where it watches more than 100 ids, until the session unwatches one", async () => {
    const one = await connectJson(server());
    for (let count = 0; count < 100; count++) {
      expect(await one.ask({ type: "watch", id: `nobody-${count}` })).toEqual({ outcome: "done" });
      expect(await one.next()).toEqual({ type: "presence", id: `nobody-${count}`, event: "offline" });
    }
    const error = { code: "forbidden", message: expect.stringMatching(/^Cannot .+100/), temporary: false };
    expect(await one.ask({ type: "watch", id: "one-more" })).toEqual({ outcome: "failed", error });
    expect(await one.ask({ type: "watch", id: "nobody-7" })).toEqual({ outcome: "done" });
    expect(await one.next()).toMatchObject({ type: "presence" });
    expect(await one.ask({ type: "unwatch", id: "nobody-7" })).toEqual({ outcome: "done" });
    expect(await one.ask({ type: "watch", id: "one-more" })).toEqual({ outcome: "done" });
  });
});

describe.each(runtimes)("a send that the receiver has no room for, on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("is refused with too_large where its JSON is over the mailbox's limit of 1 MiB", async () => {
    const [plain, json] = [await server().connect(), await connectJson(server())];
    plain.send(`${json.id}:${'"'.repeat(HALF_MEBIBYTE)}`);
    await expect(plain.next()).resolves.toMatch(/^:error too_large /);
    plain.send(Buffer.alloc(HALF_MEBIBYTE * 1.8, `${json.id}:`));
    await expect(plain.next()).resolves.toMatch(/^:error too_large /);
    // A `message` frame has more fields than a `send`: a send of exactly 1 MiB is delivered in more than 1 MiB.
    const send = JSON.stringify({ type: "send", to: json.id, data: "", ackId: 1 });
    json.sendRaw(send.replace('""', JSON.stringify("x".repeat(2 * HALF_MEBIBYTE - send.length))));
    expect(await json.next()).toEqual({
      type: "ack",
      ackId: 1,
      outcome: "failed",
      error: { code: "too_large", message: expect.stringMatching(/^Cannot /), temporary: false },
    });
    await expect(json).toStaySilent();
  });

  test("is refused with mailbox_full where 1,000 messages are queued for a session that is away", async () => {
    const away = await connectJson(server());
    const one = await loseConnection(server(), away);
    await expect(fill(one, away.id, 1000)).resolves.toEqual({ queued: 1000 });
    expect(await one.ask({ type: "send", to: away.id, data: 1 })).toEqual({
      outcome: "failed",
      error: { code: "mailbox_full", message: expect.stringContaining(away.id), temporary: true },
    });
  });

  test("is refused with mailbox_full where the mailbox of a session that is away would exceed 1 MiB", async () => {
    const away = await connectJson(server());
    const one = await loseConnection(server(), away);
    const big = { type: "send", to: away.id, data: "x".repeat(600_000) };
    expect(await one.ask(big)).toEqual({ outcome: "queued" });
    expect(await one.ask(big)).toMatchObject({ error: { code: "mailbox_full", temporary: true } });
    expect(await one.ask({ ...big, data: "small" })).toEqual({ outcome: "queued" });
  });

  test("is refused with too_slow while 1,000 messages are unacknowledged; an acknowledgement makes room", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    await two.acknowledge(0);
    await expect(fill(one, two.id, 1000)).resolves.toEqual({ delivered: 1000 });
    expect(await one.ask({ type: "send", to: two.id, data: 1 })).toEqual({
      outcome: "failed",
      error: { code: "too_slow", message: expect.stringContaining(two.id), temporary: true },
    });
    for (let count = 0; count < 1000; count++) await two.next();
    await two.acknowledge(1);
    expect(await one.ask({ type: "send", to: two.id, data: "more" })).toEqual({ outcome: "delivered" });
    expect(await two.next()).toMatchObject({ data: "more", sequenceId: 1001 });
    expect(await one.ask({ type: "send", to: two.id, data: 1 })).toMatchObject({ error: { code: "too_slow" } });
  });

  test("is not refused where the receiver never acknowledges: its oldest messages are dropped", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    await expect(fill(one, two.id, 1500)).resolves.toEqual({ delivered: 1500 });
    for (let sequenceId = 1; sequenceId <= 1500; sequenceId++) expect(await two.next()).toMatchObject({ sequenceId });
  });
});

/** Most unacknowledged sends that a client may have in flight (`limits.maxUnackedSends`). */
const MAX_IN_FLIGHT = 256;

/** Sends this many messages. @returns How often the relay answered with each outcome. */
async function fill(sender: JsonClient, to: string, count: number): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  for (let start = 0; start < count; start += MAX_IN_FLIGHT) {
    const end = Math.min(start + MAX_IN_FLIGHT, count);
    for (let number = start; number < end; number++) {
      sender.send({ type: "send", to, data: number, ackId: 1_000_000 + number });
    }
    for (let number = start; number < end; number++) {
      const { outcome } = await sender.next();
      outcomes[String(outcome)] = (outcomes[String(outcome)] ?? 0) + 1;
    }
  }
  return outcomes;
}
