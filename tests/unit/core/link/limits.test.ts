import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type FakeClient, FakeConnection, passBeats, startRelay } from "../../fakes.ts";

const MAX_BUFFERED_BYTES = 100;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a receiver that does not read", () => {
  function connectTwo() {
    const { relay, turn, connect } = startRelay({ limits: { maxBufferedBytes: MAX_BUFFERED_BYTES } });
    return { relay, turn, sender: connect(), receiver: connect() };
  }

  /** Lets the clients answer pings, so that the heartbeat drops none of them. */
  function passTalkingBeats(beats: number, ...clients: readonly FakeClient[]): void {
    for (let tenths = 0; tenths < beats * 10; tenths++) {
      for (const { link } of clients) link.onPong();
      passBeats(0.1);
    }
  }

  test("gets messages until its backlog is full; then the sender, and nobody else, hears too_slow", () => {
    const { sender, receiver } = connectTwo();
    receiver.connection.waitingBytes = MAX_BUFFERED_BYTES;
    sender.says("2:fits");
    receiver.connection.waitingBytes = MAX_BUFFERED_BYTES + 1;
    sender.says("2:refused");
    expect(receiver.heard).toEqual(["fits"]);
    expect(sender.heard).toEqual([expect.stringMatching(/^:error too_slow .*"2"/)]);
  });

  test("is slow because of frames of the same turn, too", () => {
    const { turn, sender, receiver } = connectTwo();
    for (let times = 0; times < 5; times++) sender.link.onMessage(`2:${"x".repeat(40)}`, false);
    turn.end();
    expect(receiver.heard.length).toBe(3);
    expect(sender.heard.length).toBe(2);
  });

  test("gets messages again as soon as it reads", () => {
    const { sender, receiver } = connectTwo();
    receiver.connection.waitingBytes = MAX_BUFFERED_BYTES + 1;
    sender.says("2:refused");
    receiver.connection.waitingBytes = 0;
    sender.says("2:again");
    expect(receiver.heard).toEqual(["again"]);
  });

  test("is closed with 4000 after three beats with a full backlog, and not before", () => {
    const { relay, sender, receiver } = connectTwo();
    receiver.connection.waitingBytes = MAX_BUFFERED_BYTES + 1;
    sender.says("2:refused");
    passTalkingBeats(2.9, sender, receiver);
    expect(receiver.did).toEqual([]);
    passTalkingBeats(1.1, sender, receiver);
    expect(receiver.did[0]).toBe("close 4000");
    expect(relay.holdings.sessions).toBe(1);
  });

  test("is closed even if nobody sends to it any more", () => {
    const { sender, receiver } = connectTwo();
    receiver.connection.waitingBytes = MAX_BUFFERED_BYTES + 1;
    passTalkingBeats(5, sender, receiver);
    expect(receiver.did[0]).toBe("close 4000");
  });

  test("stays open if it has read in between, although it is slow again", () => {
    const { sender, receiver } = connectTwo();
    for (let times = 0; times < 4; times++) {
      receiver.connection.waitingBytes = MAX_BUFFERED_BYTES + 1;
      sender.says("2:refused");
      passTalkingBeats(2, sender, receiver);
      receiver.connection.waitingBytes = 0;
      sender.says("2:taken");
    }
    expect(receiver.heard).toEqual(["taken", "taken", "taken", "taken"]);
    expect(receiver.did).not.toContain("close 4000");
  });

  test("loses errors when its backlog is full, and then its connection", () => {
    const { sender } = connectTwo();
    sender.connection.waitingBytes = MAX_BUFFERED_BYTES + 1;
    sender.says("nonsense");
    expect(sender.heard).toEqual([]);
    passTalkingBeats(4, sender);
    expect(sender.did[0]).toBe("close 4000");
  });
});

describe("with maxConnections", () => {
  test("the relay accepts connections up to the limit, and again when one has gone", () => {
    const { relay, connect } = startRelay({ limits: { maxConnections: 2 } });
    expect(relay.accepts).toBe(true);
    const first = connect();
    expect(relay.accepts).toBe(true);
    connect();
    expect(relay.accepts).toBe(false);
    first.leaves();
    expect(relay.accepts).toBe(true);
  });

  test("a connection over the limit closes with 1013, begins no session, and takes no place", () => {
    const { relay, connect } = startRelay({ limits: { maxConnections: 1 } });
    const first = connect();
    const over = connect();
    expect(over.did).toEqual(["close 1013"]);
    expect(first.did).toEqual([]);
    expect(relay.holdings.sessions).toBe(1);
    first.says("2:hello?");
    expect(first.heard).toEqual([expect.stringContaining(":error no_such_id ")]);
    over.link.onSocketGone(1013, "");
    expect(relay.accepts).toBe(false);
    first.leaves();
    expect(relay.accepts).toBe(true);
  });

  test("an echo takes a place like any connection", () => {
    const { relay } = startRelay({ limits: { maxConnections: 1 } });
    relay.openEcho(new FakeConnection());
    expect(relay.accepts).toBe(false);
    const over = new FakeConnection();
    relay.openEcho(over);
    expect(over.did).toEqual(["close 1013"]);
  });

  test("a connection keeps its place until its socket is gone", () => {
    const { relay, connect } = startRelay({ limits: { maxConnections: 1 } });
    const client = connect();
    client.link.onPeerClosing(1000, "");
    expect(relay.accepts).toBe(false);
    client.link.onSocketGone(1000, "");
    expect(relay.accepts).toBe(true);
  });
});

test("a relay without limits in its options takes messages of a mebibyte and any number of connections", () => {
  const { relay } = startRelay();
  expect(relay.limits).toEqual({
    maxMessageBytes: 1_048_576,
    maxBufferedBytes: 1_048_576,
    maxTotalBufferedBytes: 268_435_456,
    maxConnections: Number.POSITIVE_INFINITY,
    maxSessions: Number.POSITIVE_INFINITY,
    maxRoomsPerSession: 100,
    maxWatchesPerSession: 100,
    maxMailboxMessages: 1000,
    maxMailboxBytes: 1_048_576,
    maxMessagesPerSecond: Number.POSITIVE_INFINITY,
    maxMessageBurst: Number.POSITIVE_INFINITY,
    maxBytesPerSecond: Number.POSITIVE_INFINITY,
  });
});
