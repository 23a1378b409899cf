import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { REMEMBERED_ACKS } from "../../../src/core/link/limits.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the same ackId again", () => {
  test("sends nothing, and reports the outcome of the first time", () => {
    const { connectJson } = startJsonRelay();
    const [sender, receiver] = [connectJson(), connectJson()];
    sender.sends("2", "once", 1);
    expect(sender.sends("2", "twice", 1)).toEqual({
      type: "ack",
      ackId: 1,
      outcome: "failed",
      error: { code: "duplicate", message: expect.stringMatching(/^Cannot /), temporary: false },
      original: { outcome: "delivered" },
    });
    expect(receiver.data).toEqual(["once"]);
  });

  test("after a resume is the same: nothing is sent twice", () => {
    const { connectJson, resume } = startJsonRelay();
    const [sender, receiver] = [connectJson(), connectJson()];
    sender.sends("2", "once", 1);
    sender.vanishes();
    const back = resume(sender);
    expect(back.sends("2", "once", 1)).toMatchObject({
      error: { code: "duplicate" },
      original: { outcome: "delivered" },
    });
    expect(back.sends("2", "new", 2)).toMatchObject({ outcome: "delivered" });
    expect(receiver.data).toEqual(["once", "new"]);
  });

  test("reports the outcome of that time, not what it would be now", () => {
    const { connect, connectJson } = startJsonRelay();
    const sender = connectJson();
    expect(sender.sends("2", "hi", 1)).toMatchObject({ error: { code: "no_such_id" } });
    const late = connect();
    expect(sender.sends("2", "hi", 1)).toMatchObject({
      error: { code: "duplicate" },
      original: { outcome: "failed", error: { code: "no_such_id", temporary: false } },
    });
    expect(late.heard).toEqual([]);
  });

  test("of a publish reports the recipients; sends and publishes share their numbers", () => {
    const { connectJson } = startJsonRelay();
    const [one, two] = [connectJson(), connectJson()];
    for (const client of [one, two]) client.asks({ type: "join", room: "lobby" });
    one.asks({ type: "publish", room: "lobby", data: "once", ackId: 5 });
    one.asks({ type: "publish", room: "lobby", data: "once", ackId: 5 });
    expect(one.all("ack").at(-1)).toMatchObject({ original: { outcome: "delivered", recipients: 1 } });
    expect(one.sends("2", "other", 5)).toMatchObject({ error: { code: "duplicate" } });
    expect(two.data).toEqual(["once"]);
  });

  test("of another session is independent", () => {
    const { connectJson } = startJsonRelay();
    const [one, two, receiver] = [connectJson(), connectJson(), connectJson()];
    one.sends("3", "a", 1);
    expect(two.sends("3", "b", 1)).toMatchObject({ outcome: "delivered" });
    expect(receiver.data).toEqual(["a", "b"]);
  });

  test("of a join is no duplicate: it can be repeated without harm", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson();
    for (const type of ["join", "members", "join"] as const) client.asks({ type, room: "lobby", ackId: 1 });
    expect(client.all("ack").map(({ outcome }) => outcome)).toEqual(["done", "done", "done"]);
    expect(client.sends("1", "hi", 1)).toMatchObject({ outcome: "delivered" });
  });

  test("is forgotten after as many further sends as the welcome says", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson();
    expect(client.welcome.limits.maxUnackedSends).toBe(REMEMBERED_ACKS);
    for (let ackId = 0; ackId < REMEMBERED_ACKS; ackId++) client.sends("1", ackId, ackId);
    expect(client.sends("1", "again", 0)).toMatchObject({ error: { code: "duplicate" } });
    client.sends("1", "one more", REMEMBERED_ACKS);
    expect(client.sends("1", "again", 0)).toMatchObject({ outcome: "delivered" });
    expect(client.sends("1", "again", 2)).toMatchObject({ error: { code: "duplicate" } });
  });
});

describe("a client that does not wait for its acks", () => {
  const sendTo = (to: string, ackId: number) => JSON.stringify({ type: "send", to, data: ackId, ackId });

  test("is refused sends beyond 256 whose acks have not left, and may send them again later", () => {
    const { turn, connectJson } = startJsonRelay();
    const [sender, receiver] = [connectJson(), connectJson()];
    for (let ackId = 1; ackId <= 300; ackId++) sender.link.onMessage(sendTo("2", ackId), false);
    turn.end();
    expect(receiver.data).toEqual(Array.from({ length: 256 }, (_, index) => index + 1));
    const failures = sender.all("ack").filter(({ outcome }) => outcome === "failed");
    expect(failures.map(({ ackId }) => ackId)).toEqual(Array.from({ length: 44 }, (_, index) => 257 + index));
    expect(failures[0]?.error).toMatchObject({ code: "too_many_unacked", temporary: true });
    expect(sender.sends("2", 257, 257)?.outcome).toBe("delivered");
    expect(receiver.data.length).toBe(257);
  });

  test("is refused even if the acks wait in the runtime, until they have left", () => {
    const { connectJson } = startJsonRelay();
    const [sender] = [connectJson(), connectJson()];
    sender.connection.waitingBytes = 500_000;
    for (let ackId = 1; ackId <= 256; ackId++) expect(sender.sends("2", "x", ackId)?.outcome).toBe("delivered");
    expect(sender.sends("2", "x", 257)?.error?.code).toBe("too_many_unacked");
    sender.connection.waitingBytes = 100;
    expect(sender.sends("2", "x", 257)?.outcome).toBe("delivered");
  });

  test("is not refused the repeats after a resume, of which the acks left with the connection before", () => {
    const { turn, connectJson, resume } = startJsonRelay();
    const [sender, receiver] = [connectJson(), connectJson()];
    for (let ackId = 1; ackId <= 200; ackId++) sender.link.onMessage(sendTo("2", ackId), false);
    sender.vanishes();
    const back = resume(sender);
    for (let ackId = 1; ackId <= 256; ackId++) back.link.onMessage(sendTo("2", ackId), false);
    turn.end();
    expect(receiver.data).toEqual(Array.from({ length: 256 }, (_, index) => index + 1));
  });

  test("gets after a resume just those twice that were over the 256", () => {
    const { connectJson, resume } = startJsonRelay();
    const [sender, receiver] = [connectJson(), connectJson()];
    for (let ackId = 1; ackId <= 300; ackId++) sender.sends("2", ackId, ackId);
    sender.vanishes();
    const back = resume(sender);
    for (let ackId = 1; ackId <= 300; ackId++) back.sends("2", ackId, ackId);
    expect(receiver.data.slice(300)).toEqual(Array.from({ length: 44 }, (_, index) => index + 1));
  });
});

describe("a frame without an ackId", () => {
  test("is answered only if it fails, and can be sent any number of times", () => {
    const { connectJson } = startJsonRelay();
    const [sender, receiver] = [connectJson(), connectJson()];
    for (let times = 0; times < 3; times++) sender.asks({ type: "send", to: "2", data: times });
    expect(sender.frames.length).toBe(1);
    sender.asks({ type: "send", to: "9", data: 1 });
    expect(sender.frames.at(-1)).toMatchObject({ type: "error", error: { code: "no_such_id", temporary: false } });
    expect(receiver.data).toEqual([0, 1, 2]);
  });
});

describe("a frame that cannot be decoded", () => {
  test("is refused in an ack if it has an ackId, and does not use it up", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson();
    client.says('{"type":"send","to":"1","ackId":7}');
    expect(client.frames.at(-1)).toMatchObject({
      type: "ack",
      ackId: 7,
      outcome: "failed",
      error: { code: "bad_frame" },
    });
    client.says("nonsense");
    expect(client.frames.at(-1)).toMatchObject({ type: "error", error: { code: "bad_frame" } });
    expect(client.sends("1", "hi", 7)).toMatchObject({ outcome: "delivered" });
  });
});

test("an ack that has no room closes the connection with 4000; the client repeats its ackId after a resume", () => {
  const { connectJson, resume } = startJsonRelay({ limits: { maxBufferedBytes: 10 } });
  const [sender, receiver] = [connectJson(), connectJson()];
  sender.connection.waitingBytes = 11;
  sender.sends("2", "once", 1);
  expect(sender.did.at(-1)).toBe("close 4000");
  const back = resume(sender);
  expect(back.sends("2", "once", 1)).toMatchObject({
    error: { code: "duplicate" },
    original: { outcome: "delivered" },
  });
  expect(receiver.data).toEqual(["once"]);
});
