import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Buffers } from "../../../src/core/buffers.ts";
import { FakeConnection, startRelay } from "../fakes.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What may wait: a quarter of the bound, as each waiting byte costs three others. */
const TOTAL = 1_000_000;

describe("what may wait in all", () => {
  test("is shared evenly among those who read nothing, and leaves as much free", () => {
    const buffers = new Buffers({ maxTotalBufferedBytes: 4 * TOTAL });
    const waiting = Array.from({ length: 9 }, () => 0);
    for (let round = 0; round < 1000; round++) {
      waiting.forEach((bytes, at) => {
        if (!buffers.allows(bytes, 1000)) return;
        waiting[at] = bytes + 1000;
        buffers.count(1000);
      });
    }
    expect(buffers.bytes).toBeLessThanOrEqual(TOTAL);
    for (const bytes of waiting) expect(Math.abs(bytes - TOTAL / 10)).toBeLessThan(2000);
    expect(buffers.allows(0, TOTAL / 10 - 1000)).toBe(true);
  });

  test("is a few kilobytes for everybody, whatever the others have", () => {
    const buffers = new Buffers({ maxTotalBufferedBytes: 4 * TOTAL });
    buffers.count(TOTAL);
    expect([buffers.allows(0, 32_768), buffers.allows(1, 32_768)]).toEqual([true, false]);
  });

  test("is counted anew before somebody is refused for what has gone meanwhile", () => {
    const buffers = new Buffers({ maxTotalBufferedBytes: 4 * TOTAL });
    buffers.count(TOTAL);
    buffers.watch({ recount: () => buffers.count(-buffers.bytes) });
    vi.advanceTimersByTime(1000);
    expect(buffers.allows(0, 100_000)).toBe(true);
  });
});

describe("a relay's buffers", () => {
  test("are empty when everybody has read everything", () => {
    const { relay, connect } = startRelay();
    const [one] = [connect(), connect()];
    one.says("2:hello");
    expect(relay.holdings.bufferedBytes).toBe(0);
  });

  test("hold what a client does not read, until it has gone", () => {
    const { relay, turn } = startRelay();
    const connection = new FakeConnection();
    const link = relay.open(connection);
    connection.waitingBytes = 5000;
    link.receive("1:x", false);
    turn.end();
    expect(relay.holdings.bufferedBytes).toBe(5000);
    link.closed(1006, "");
    expect(relay.holdings.bufferedBytes).toBe(0);
  });

  test("hold what waits in mailboxes, until it is acknowledged or its session is over", () => {
    const { relay, connectJson } = startJsonRelay();
    const [one, two] = [connectJson(), connectJson()];
    one.sends("2", "x".repeat(1000), 1);
    expect(relay.holdings).toMatchObject({ waitingMessages: 1 });
    expect(relay.holdings.bufferedBytes).toBeGreaterThan(1000);
    two.asks({ type: "sequenceAck", sequenceId: 1 });
    expect(relay.holdings).toMatchObject({ waitingMessages: 0, bufferedBytes: 0 });
    one.sends("2", "x".repeat(1000), 2);
    two.leaves();
    expect(relay.holdings).toMatchObject({ waitingMessages: 0, bufferedBytes: 0 });
  });

  test("are bounded: a receiver that reads nothing is refused, one that reads is served", () => {
    const { turn, relay, connect } = startRelay({ limits: { maxTotalBufferedBytes: 400_000 } });
    const sender = connect();
    const slow = new FakeConnection();
    relay.open(slow);
    const good = connect();
    slow.waitingBytes = 60_000;
    sender.says(`2:${"x".repeat(41_000)}`);
    expect(sender.heard).toEqual([expect.stringMatching(/^:error too_slow /)]);
    sender.says("3:hello");
    turn.end();
    expect(good.heard).toEqual(["hello"]);
  });

  test("have less read from a client whose message they had no place for, and from no other", () => {
    const { relay } = startRelay({ limits: { maxTotalBufferedBytes: 400_000, maxBufferedBytes: 50_000 } });
    const sender = new FakeConnection();
    const slow = new FakeConnection();
    const [link] = [relay.open(sender), relay.open(slow)];
    slow.waitingBytes = 60_000;
    link.receive("2:too much waits for this one alone", false);
    expect(sender.count("slowDown")).toBe(0);
    slow.waitingBytes = 45_000;
    link.receive(`2:${"x".repeat(56_000)}`, false);
    expect([sender.count("slowDown"), slow.count("slowDown")]).toEqual([1, 0]);
  });

  test("are bounded for mailboxes too: a send to one that is away is told so", () => {
    const { connectJson } = startJsonRelay({ limits: { maxTotalBufferedBytes: 480_000 } });
    const [one, two] = [connectJson(), connectJson()];
    two.vanishes();
    const outcomes = Array.from({ length: 6 }, (_, at) => one.sends("2", "x".repeat(20_000), at)?.outcome);
    expect(outcomes).toEqual(["queued", "queued", "queued", "failed", "failed", "failed"]);
    expect(one.all("ack").at(-1)?.error?.code).toBe("mailbox_full");
  });
});
