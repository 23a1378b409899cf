import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { plainFrom } from "../../../src/core/protocol/plain.ts";
import { Relay } from "../../../src/core/relay.ts";
import { FakeConnection, type Left, passBeats, startRelay } from "../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a message", () => {
  test("reaches the client it names, and nobody else", () => {
    const { connect } = startRelay();
    const [one, two, three] = [connect(), connect(), connect()];
    one.says("2:您好啊");
    expect([one.heard, two.heard, three.heard]).toEqual([[], ["您好啊"], []]);
  });

  test("reaches its sender if the sender names itself", () => {
    const { connect } = startRelay();
    const one = connect();
    one.says("1:note");
    expect(one.heard).toEqual(["note"]);
  });

  test("arrives as it was sent: text as text, bytes as bytes", () => {
    const { connect } = startRelay();
    const [one, two] = [connect(), connect()];
    one.says("2:a:b");
    one.says("2:");
    one.says(new Uint8Array([0x32, 0x3a, 0, 255]));
    expect(two.connection.frames).toMatchObject([
      { payload: "a:b", binary: false },
      { payload: "", binary: false },
      { payload: new Uint8Array([0, 255]), binary: true },
    ]);
  });

  test("names its sender to a client that asked for that, and to no other", () => {
    const { connect } = startRelay();
    const [one, two, three] = [connect(), connect({ protocol: plainFrom }), connect()];
    one.says("2:hi");
    one.says(new Uint8Array([0x32, 0x3a, 0xff]));
    two.says("3:hi");
    expect(two.connection.frames).toMatchObject([
      { payload: "1:hi", binary: false },
      { payload: new Uint8Array([0x31, 0x3a, 0xff]), binary: true },
    ]);
    expect(three.heard).toEqual(["hi"]);
  });

  test("of one sender to one receiver keeps its place; all of a turn are one write", () => {
    const { turn, connect } = startRelay();
    const [one, two, three] = [connect(), connect(), connect()];
    for (const words of ["a", "b", "c"]) {
      one.link.onMessage(`3:${words}`, false);
      two.link.onMessage(`3:${words.toUpperCase()}`, false);
      one.link.onMessage(`2:${words}`, false);
    }
    expect(turn.scheduled).toBe(1);
    turn.end();
    expect(three.did).toEqual(["write a,A,b,B,c,C"]);
    expect(two.did).toEqual(["write a,b,c"]);
  });
});

test("without a schedule, the frames that one frame caused are written before the turn goes on", async () => {
  const relay = new Relay();
  const connection = new FakeConnection();
  relay.open(connection).onMessage("1:a", false);
  expect(connection.did).toEqual([]);
  await Promise.resolve();
  expect(connection.did).toEqual(["write a"]);
});

describe("a message that cannot be delivered", () => {
  test.each([
    ["9:hi", "no_such_id"],
    ["01:hi", "no_such_id"],
    ["a b:hi", "bad_id"],
    ["é:hi", "bad_id"],
    [`${"x".repeat(65)}:hi`, "bad_id"],
    ["hi", "bad_frame"],
    [":hi", "bad_frame"],
    ["", "bad_frame"],
  ])("%j is answered with one line, %s, to its sender alone, who stays", (words, code) => {
    for (const payload of [words, new TextEncoder().encode(words)]) {
      const { connect } = startRelay();
      const [one, two] = [connect(), connect()];
      one.says(payload);
      expect(one.heard).toEqual([expect.stringMatching(new RegExp(`^:error ${code} Cannot [^\\n]+$`))]);
      expect(one.connection.frames).toMatchObject([{ binary: false }]);
      expect(two.did).toEqual([]);
      one.says("2:still here");
      expect(two.heard).toEqual(["still here"]);
    }
  });

  test("looks the same to a client that asked for senders", () => {
    const { connect } = startRelay();
    const [one, two] = [connect(), connect({ protocol: plainFrom })];
    one.says("9:x");
    two.says("9:x");
    expect(two.heard).toEqual(one.heard);
  });
});

describe("an id", () => {
  test("is the next number, and is not given again", () => {
    const ids: string[] = [];
    const { connect } = startRelay({ observer: { connected: (id) => ids.push(id) } });
    connect().leaves();
    connect();
    connect().leaves();
    connect();
    expect(ids).toEqual(["1", "2", "3", "4"]);
  });

  test("ends with its client's close frame, before the socket is gone", () => {
    const { relay, connect } = startRelay();
    const [one, two] = [connect(), connect()];
    two.link.onPeerClosing(1000, "");
    one.says("2:too late");
    expect(one.heard).toEqual([expect.stringContaining(":error no_such_id ")]);
    expect(two.did).toEqual([]);
    expect(relay.holdings.sessions).toBe(1);
  });

  test("ends when its client is lost by the heartbeat", () => {
    const { connect } = startRelay();
    const [one, two] = [connect(), connect()];
    for (let beats = 0; beats < 5; beats++) {
      passBeats(0.8);
      one.link.onPong();
    }
    expect(two.did.at(-1)).toBe("terminate");
    one.says("2:anyone?");
    expect(one.heard).toEqual([expect.stringContaining(":error no_such_id ")]);
  });

  test("is not affected by late events of another socket", () => {
    const { connect } = startRelay();
    const [one, two] = [connect(), connect()];
    two.leaves();
    const three = connect();
    two.link.onSocketGone(1006, "");
    two.link.onMessage("3:from the grave", false);
    one.says("3:hi");
    expect(three.heard).toEqual(["hi"]);
  });
});

describe("an observer", () => {
  test("gets every event, with the id of its session", () => {
    const events: string[] = [];
    const left: Left[] = [];
    const { connect } = startRelay({
      observer: {
        connected: (id) => events.push(`connected ${id}`),
        received: (id, { payload }) => events.push(`received ${id} ${payload}`),
        sent: (id, { payload }) => events.push(`sent ${id} ${payload}`),
        beat: (id) => events.push(`beat ${id}`),
        missed: (id, misses) => events.push(`missed ${id} ${misses}`),
        left: (id, ending) => left.push({ id, ending }),
      },
    });
    const one = connect();
    const two = connect({ protocol: plainFrom });
    one.says("2:hi");
    two.link.onPong();
    one.leaves();
    expect(events).toEqual(["connected 1", "connected 2", "received 1 2:hi", "sent 2 1:hi", "beat 2"]);
    passBeats(4);
    expect(events.slice(5)).toEqual(["missed 2 1", "missed 2 2", "missed 2 3"]);
    expect(left).toEqual([
      { id: "1", ending: { by: "client", code: 1000, reason: "", mayReturn: false } },
      { id: "2", ending: { by: "heartbeat", code: 1006, reason: "3 beats missed", mayReturn: true } },
    ]);
  });

  test("gets an error inside the relay, whose connection closes with 1011 while the others stay", () => {
    const failures: unknown[] = [];
    const defect = new Error("a defect");
    const { relay, connect } = startRelay({
      observer: {
        received: (id) => {
          if (id === "1") throw defect;
        },
        failed: (id, error) => failures.push([id, error]),
      },
    });
    const [one, two] = [connect(), connect()];
    one.says("2:hi");
    expect(failures).toEqual([["1", defect]]);
    expect(one.did).toEqual([expect.stringMatching(/^write :error internal [^\n]+$/), "close 1011"]);
    expect(two.did).toEqual([]);
    expect(relay.holdings.sessions).toBe(1);
  });
});

describe("a relay is not made", () => {
  test.each([
    { heartbeatMs: 0 },
    { heartbeatMisses: 0 },
    { closeTimeoutMs: -1 },
    { limits: { maxMessageBytes: 0 } },
    { limits: { maxBufferedBytes: -1 } },
    { limits: { maxConnections: 0 } },
    { limits: { maxConnections: Number.NaN } },
  ])("with %o", (options) => {
    expect(() => new Relay(options)).toThrow(RangeError);
    expect(vi.getTimerCount()).toBe(0);
  });
});
