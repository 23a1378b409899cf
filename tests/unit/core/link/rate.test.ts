import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Limits } from "../../../../src/core/link/limits.ts";
import { text } from "../../../../src/core/protocol/text.ts";
import { FakeConnection, passBeats, startRelay } from "../../fakes.ts";
import { type JsonClient, startJsonRelay } from "../../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const SLOW = { limits: { maxMessagesPerSecond: 10, maxMessageBurst: 3 } };

describe("a client that sends more than it may", () => {
  test("gets rate_limited for each frame over its rate, and for none after a pause", () => {
    const { connect } = startRelay(SLOW);
    const client = connect();
    for (let times = 0; times < 5; times++) client.says("1:x");
    expect(client.heard.map((line) => line.split(" ")[1] ?? line)).toEqual(
      ["1:x", "1:x", "1:x", "rate_limited", "rate_limited"].map((word) => (word === "1:x" ? "x" : word)),
    );
    vi.advanceTimersByTime(100);
    client.says("1:again");
    expect(client.heard.at(-1)).toBe("again");
  });

  test("gets the error in an ack if the frame has an ackId, which it may use again", () => {
    const { connectJson } = startJsonRelay(SLOW);
    const client = connectJson();
    const outcomes = [1, 2, 3, 4].map((ackId) => client.sends("1", "x", ackId));
    expect(outcomes.map((ack) => ack?.outcome)).toEqual(["delivered", "delivered", "delivered", "failed"]);
    expect(outcomes.at(-1)?.error).toMatchObject({ code: "rate_limited", temporary: true });
    vi.advanceTimersByTime(100);
    expect(client.sends("1", "x", 4)?.outcome).toBe("delivered");
  });

  test("is limited in bytes, too, and one message of the largest size always passes a full bucket", () => {
    const { connect } = startRelay({ limits: { maxBytesPerSecond: 1000, maxMessageBytes: 5000 } });
    const client = connect();
    client.says(`1:${"x".repeat(4990)}`);
    client.says("1:one more, of twenty.");
    expect(client.heard.map((line) => line.length)).toEqual([4990, expect.any(Number)]);
    expect(client.heard.at(-1)).toContain("rate_limited");
  });

  test("is limited in bytes of UTF-8, whether its text came as a string or as bytes", () => {
    for (const spell of [(text: string) => text, (text: string) => new TextEncoder().encode(text)]) {
      const { relay, turn } = startRelay({ limits: { maxBytesPerSecond: 1, maxMessageBytes: 1000 } });
      const connection = new FakeConnection();
      const link = relay.open(connection);
      for (let times = 0; times < 2; times++) link.onMessage(spell(`1:${"您".repeat(200)}`), false);
      turn.end();
      expect(connection.heard).toEqual(["您".repeat(200), expect.stringContaining("rate_limited")]);
    }
  });

  test("gets no new burst by resuming, and its refusals are not forgotten", () => {
    const { connectJson, resume } = startJsonRelay(SLOW);
    let client = connectJson();
    const outcomes: (string | undefined)[] = [];
    for (let times = 0; times < 3; times++) {
      for (let ackId = 0; ackId < 3; ackId++) outcomes.push(client.sends("1", "x", times * 3 + ackId)?.outcome);
      client.vanishes();
      client = resume(client);
    }
    expect(outcomes).toEqual([...Array(3).fill("delivered"), ...Array(6).fill("failed")]);
    for (let times = 0; times < 3; times++) {
      for (let count = 0; count < 3; count++) client.says("x");
      client = resume(client);
    }
    client.says("x");
    expect(client.did.at(-1)).toBe("close 1008");
  });

  test("by a connection of its own is not refused for another's", () => {
    const { connect } = startRelay(SLOW);
    const [one, two] = [connect(), connect()];
    for (let times = 0; times < 4; times++) one.says("1:x");
    two.says("2:x");
    expect(two.heard).toEqual(["x"]);
  });

  test("is slowed down", () => {
    const { connect } = startRelay(SLOW);
    const client = connect();
    for (let times = 0; times < 3; times++) client.says("1:x");
    expect(client.did).not.toContain("slowDown");
    client.says("1:x");
    expect(client.did).toContain("slowDown");
  });

  test("and does not stop is closed with 1008", () => {
    const { connect } = startRelay(SLOW);
    const client = connect();
    for (let times = 0; times < 3 + 15; times++) client.says("1:x");
    expect(client.did).not.toContain("close 1008");
    client.says("1:x");
    expect(client.did.at(-1)).toBe("close 1008");
  });

  test("now and then is never closed", () => {
    const { connect } = startRelay({ limits: { maxMessagesPerSecond: 10 } });
    const client = connect();
    for (let seconds = 0; seconds < 100; seconds++) {
      for (let times = 0; times < 13; times++) client.says("1:x");
      vi.advanceTimersByTime(1000);
    }
    expect(client.did.filter((done) => done.startsWith("close"))).toEqual([]);
  });

  test("of pings alone is closed with 1008 as well", () => {
    const { relay } = startRelay(SLOW);
    const connection = new FakeConnection();
    const link = relay.open(connection);
    for (let times = 0; times < 1 + 3 + 15; times++) link.onPong();
    expect(connection.did).not.toContain("close 1008");
    link.onPong();
    expect(connection.did.at(-1)).toBe("close 1008");
  });

  test("costs the echo no more than an error", () => {
    const { relay, turn } = startRelay(SLOW);
    const connection = new FakeConnection();
    const link = relay.openEcho(connection);
    for (let times = 0; times < 4; times++) link.onMessage("x", false);
    turn.end();
    expect(connection.heard).toEqual(["res:x", "res:x", "res:x", expect.stringMatching(/^:error rate_limited /)]);
  });
});

describe("an answer to the relay", () => {
  test("does not count against the rate: pongs of both kinds, and sequenceAck", () => {
    const { connectJson, connect } = startJsonRelay({ limits: { maxMessagesPerSecond: 0.001, maxMessageBurst: 1 } });
    const client = connectJson();
    const senders = Array.from({ length: 5 }, () => connect({ protocol: text }));
    senders.forEach((sender, at) => {
      sender.says("1:hello");
      client.asks({ type: "sequenceAck", sequenceId: at + 1 });
    });
    for (let beats = 0; beats < 20; beats++) {
      passBeats(1);
      client.link.onPong();
      client.asks({ type: "pong" });
    }
    expect(client.all("error")).toEqual([]);
    expect(client.data.length).toBe(5);
  });

  test("does not count against the rate even if another frame comes before the pong", () => {
    const { connectJson } = startJsonRelay({ limits: { maxMessagesPerSecond: 0.001, maxMessageBurst: 1 } });
    const client = connectJson();
    for (let beats = 0; beats < 20; beats++) {
      passBeats(1);
      client.asks({ type: "pong" });
      client.link.onPong();
    }
    client.asks({ type: "ping" });
    expect(client.all("pong").length).toBe(1);
  });

  test("counts if it is longer than it needs to be", () => {
    const { connectJson, connect } = startJsonRelay({ limits: { maxMessagesPerSecond: 0.001, maxMessageBurst: 1 } });
    const client = connectJson();
    for (const sequenceId of [1, 2]) {
      connect().says("1:hello");
      client.says(JSON.stringify({ type: "sequenceAck", sequenceId, padding: "x".repeat(1000) }));
    }
    expect(client.all("error").map(({ error }) => error.code)).toEqual(["rate_limited"]);
  });

  test("counts if the relay did not ask for it", () => {
    const { connectJson } = startJsonRelay({ limits: { maxMessagesPerSecond: 1, maxMessageBurst: 1 } });
    const client = connectJson();
    for (let times = 0; times < 3; times++) client.asks({ type: "pong" });
    client.asks({ type: "sequenceAck", sequenceId: 5 });
    expect(client.all("error").map(({ error }) => error.code)).toEqual([
      "rate_limited",
      "rate_limited",
      "rate_limited",
    ]);
  });
});

describe("a frame that causes many others", () => {
  /** Starts a room of 250 members, and one more client that may send bursts of 40 frames and 2 frames per second. */
  function startFullRoom(limits: Partial<Limits> = {}) {
    const started = startJsonRelay({
      heartbeatMs: 600_000,
      limits: { maxMessagesPerSecond: 20, maxMessageBurst: 40, ...limits },
    });
    for (let members = 0; members < 250; members++) started.connect({ protocol: text }).says(":join full");
    return { ...started, client: started.connectJson() };
  }

  /** Counts the frames that the client may still send. */
  function left(client: JsonClient): number {
    const before = client.all("pong").length;
    for (let times = 0; times < 40; times++) client.asks({ type: "ping" });
    return client.all("pong").length - before;
  }

  test.each([
    ["a join", ["join"], 3],
    ["a join and a leave", ["join", "leave"], 6],
    ["a join and a second one, which tells nobody", ["join", "join"], 4],
    ["a join and a list of the members", ["join", "members"], 6],
    ["a join and a publish, which is one", ["join", "publish"], 4],
    ["what is asked of a room that the client is not in", ["leave", "members"], 2],
  ] as const)("counts one more for each 100 members told or listed: %s", (_what, types, cost) => {
    const { client } = startFullRoom();
    for (const type of types) client.asks({ type, room: "full", data: 1 });
    expect(left(client)).toBe(40 - cost);
  });

  test("counts as half a burst at most, so that a full bucket allows it", () => {
    const { client } = startFullRoom({ maxMessagesPerSecond: 1, maxMessageBurst: 2 });
    client.asks({ type: "join", room: "full", ackId: 1 });
    client.asks({ type: "members", room: "full", ackId: 2 });
    client.asks({ type: "members", room: "full", ackId: 3 });
    expect(client.all("ack").map(({ outcome }) => outcome)).toEqual(["done", "done", "failed"]);
  });

  test("counts its bytes multiplied, too", () => {
    const { client } = startFullRoom({
      maxMessagesPerSecond: Number.POSITIVE_INFINITY,
      maxBytesPerSecond: 1,
      maxMessageBytes: 1000,
    });
    // Each has 40 or 41 bytes, counted three times.
    for (let ackId = 10; ackId < 20; ackId++) {
      client.asks({ type: ackId % 2 === 0 ? "join" : "leave", room: "full", ackId });
    }
    expect(client.all("ack").filter(({ outcome }) => outcome === "done").length).toBe(8);
  });
});

test("without a rate nothing is refused", () => {
  const { connect } = startRelay();
  const client = connect();
  for (let times = 0; times < 10_000; times++) client.says("1:x");
  expect(client.heard.length).toBe(10_000);
});
