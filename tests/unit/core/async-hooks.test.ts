import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { MessageVerdict } from "../../../src/core/hooks.ts";
import { Message } from "../../../src/core/protocol/message.ts";
import { text } from "../../../src/core/protocol/text.ts";
import type { RelayOptions } from "../../../src/core/relay-options.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A relay whose app decides when the test says so; a message `now…` passes at once. */
function startUndecided(options: RelayOptions = {}) {
  const asked: { readonly what: string; readonly decide: (verdict: MessageVerdict | Promise<never>) => void }[] = [];
  const failures: unknown[] = [];
  const started = startJsonRelay({
    ...options,
    hooks: {
      onMessage: ({ message: { payload } }) => {
        const what = typeof payload === "string" ? payload : [...payload].join();
        if (what.startsWith("now")) return true;
        return new Promise((resolve) => asked.push({ what, decide: resolve }));
      },
      ...options.hooks,
    },
    observer: { failed: (_id, error) => failures.push(String(error)) },
  });
  /** Decides on the oldest message that is undecided, and ends the turn. */
  const decide = async (verdict: MessageVerdict | Promise<never>): Promise<void> => {
    asked.shift()?.decide(verdict);
    await vi.advanceTimersByTimeAsync(0);
    started.turn.end();
  };
  return { ...started, asked, failures, decide };
}

describe("an asynchronous onMessage", () => {
  test("keeps the order of its sender's frames, and holds back nobody else's", async () => {
    const { connectJson, asked, decide } = startUndecided();
    const [one, two, three] = [connectJson(), connectJson(), connectJson()];
    two.asks({ type: "join", room: "lobby" });
    one.asks({ type: "send", to: "2", data: "first", ackId: 1 });
    one.asks({ type: "send", to: "2", data: "now second", ackId: 2 });
    one.asks({ type: "join", room: "lobby", ackId: 3 });
    one.asks({ type: "publish", room: "lobby", data: "third", ackId: 4 });
    one.asks({ type: "leave", room: "lobby", ackId: 5 });
    one.asks({ type: "ping" });
    three.sends("2", "now mine", 1);
    expect([two.data, two.news, one.frames.length]).toEqual([["now mine"], [], 1]);
    expect(asked.map(({ what }) => what)).toEqual(["first"]);

    await decide(true);
    expect([two.data, two.news]).toEqual([["now mine", "first", "now second"], ["1 joined lobby"]]);
    expect(asked.map(({ what }) => what)).toEqual(["third"]);
    await decide(undefined);
    expect([two.data.at(-1), two.news]).toEqual(["third", ["1 joined lobby", "1 left lobby"]]);
    expect(one.frames.slice(1)).toEqual([
      { type: "ack", ackId: 1, outcome: "delivered" },
      { type: "ack", ackId: 2, outcome: "delivered" },
      { type: "ack", ackId: 3, outcome: "done" },
      { type: "ack", ackId: 4, outcome: "delivered", recipients: 1 },
      { type: "ack", ackId: 5, outcome: "done" },
      { type: "pong" },
    ]);
    one.sends("2", "now", 6);
    expect(two.data.at(-1)).toBe("now");
  });

  test("may refuse, reject, or put another message in the place of the one it got", async () => {
    const { connect, connectJson, decide, failures } = startUndecided();
    const [one, two] = [connect({ protocol: text }), connectJson()];
    for (const word of ["a", "b", "c", "d"]) one.says(`2:${word}`);
    await decide(false);
    await decide(Promise.reject(new Error("a defect")));
    await decide("a text" as unknown as MessageVerdict); // As an app in JavaScript may return it.
    await decide(Message.of({ instead: true }));
    expect(one.heard.slice(1)).toEqual([
      ":error forbidden 2",
      ...Array(2).fill(":error internal Cannot send: the relay failed on this frame"),
    ]);
    expect(two.data).toEqual([{ instead: true }]);
    expect(failures).toEqual([
      "Error: a defect",
      "TypeError: Cannot decide on a message: onMessage returned no verdict but string",
    ]);
  });

  test("that has not decided after 10 s fails the message, and the next one is asked about", async () => {
    const { connectJson, decide, failures, asked } = startUndecided();
    const [one, two] = [connectJson(), connectJson()];
    one.sends("2", "never", 1);
    one.sends("2", "next", 2);
    await vi.advanceTimersByTimeAsync(9999);
    expect(asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    const { decide: late } = asked.shift() ?? { decide: () => {} };
    await decide(true);
    late(true);
    await decide(true);
    expect(one.all("ack")).toMatchObject([
      { ackId: 1, error: { code: "internal" } },
      { ackId: 2, outcome: "delivered" },
    ]);
    expect([two.data, failures.length]).toEqual([["next"], 1]);
  });

  test("lets a message through only to a receiver that is still there", async () => {
    const { connectJson, decide } = startUndecided();
    const [one, two] = [connectJson(), connectJson()];
    one.sends("2", "hi", 1);
    two.leaves();
    await decide(true);
    expect(one.all("ack")).toMatchObject([{ error: { code: "no_such_id" } }]);
  });

  test("bounds what one sender has waiting, in frames", async () => {
    const { connectJson, decide } = startUndecided();
    const [one, two] = [connectJson(), connectJson()];
    for (let ackId = 1; ackId <= 258; ackId++) one.sends("2", ackId === 1 ? "first" : "now", ackId);
    expect(one.all("ack")).toMatchObject([257, 258].map((ackId) => ({ ackId, error: { code: "too_many_unacked" } })));
    await decide(true);
    expect(two.data.length).toBe(256);
    expect(one.sends("2", "now", 257)).toMatchObject({ outcome: "delivered" });
  });

  test("bounds what all senders have waiting in the memory budget, and gives the memory back", async () => {
    const { relay, connectJson, decide, asked } = startUndecided({ limits: { maxTotalBufferedBytes: 4_000_000 } });
    const [one, two] = [connectJson(), connectJson()];
    const before = relay.holdings.bufferedBytes;
    const data = `now ${"x".repeat(100_000)}`;
    one.asks({ type: "send", to: "9", data: "undecided", ackId: 0 });
    one.asks({ type: "send", to: "2", data: "undecided", ackId: 1 });
    for (let ackId = 2; ackId < 12; ackId++) one.asks({ type: "send", to: "2", data, ackId });
    const refused = one.all("ack").filter(({ error }) => error?.code === "too_many_unacked");
    expect(refused.length).toBeGreaterThan(2);
    expect(relay.holdings.bufferedBytes).toBeLessThan(600_000);
    expect(asked.length).toBe(1);
    await decide(true);
    for (let sequenceId = 1; sequenceId < 12; sequenceId++) two.asks({ type: "sequenceAck", sequenceId });
    expect(relay.holdings.bufferedBytes).toBe(before);
  });

  test("of a sender whose session ends meanwhile delivers nothing more, and keeps nothing", async () => {
    const { relay, turn, connect, connectJson, decide } = startUndecided();
    const [one, two] = [connect(), connectJson()];
    for (const word of ["a", "b"]) one.says(`2:${word}`);
    one.leaves();
    expect(relay.holdings.bufferedBytes).toBe(0);
    await decide(true);
    await vi.advanceTimersByTimeAsync(11_000);
    turn.end();
    expect([two.data, relay.holdings.bufferedBytes]).toEqual([[], 0]);
  });

  test("of a sender that loses its connection goes on: the outcome is remembered for a repeated send", async () => {
    const { connectJson, resume, decide } = startUndecided();
    const [one, two] = [connectJson(), connectJson()];
    one.sends("2", "first", 1);
    one.sends("2", "now second", 2);
    one.vanishes();
    const back = resume(one);
    back.sends("2", "first", 1);
    await decide(true);
    back.sends("2", "now second", 2);
    expect(two.data).toEqual(["first", "now second"]);
    const original = { outcome: "delivered" };
    expect(back.all("ack")).toMatchObject([
      { ackId: 1, ...original },
      { ackId: 2, ...original },
      { ackId: 1, outcome: "failed", error: { code: "duplicate" }, original },
      { ackId: 2, outcome: "failed", error: { code: "duplicate" }, original },
    ]);
  });

  test("keeps bytes as they were, though their buffer is used again", async () => {
    const { connect, decide } = startUndecided();
    const one = connect();
    const buffer = new Uint8Array(65_536);
    for (const at of [0, 5]) buffer.set([0x31, 0x3a, at, 0xff, 0xfe], at);
    for (const at of [0, 5]) one.link.onMessage(buffer.subarray(at, at + 5), true);
    buffer.fill(0);
    await decide(true);
    await decide(true);
    expect(one.connection.frames.map(({ payload }) => [...payload])).toEqual([
      [0, 0xff, 0xfe],
      [5, 0xff, 0xfe],
    ]);
  });
});
