import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CLOSE_CODES } from "../../../../src/core/link/close-codes.ts";
import type { Link } from "../../../../src/core/link/link.ts";
import { type Holder, MemoryBudget } from "../../../../src/core/link/memory-budget.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import type { Protocol } from "../../../../src/core/protocol/protocol.ts";
import { text } from "../../../../src/core/protocol/text.ts";
import type { Relay } from "../../../../src/core/relay.ts";
import { FakeConnection, startRelay } from "../../fakes.ts";
import { startJsonRelay } from "../../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Bytes that may be counted: a quarter of the limit, as each counted byte stands for four. */
const TOTAL = 1_000_000;

describe("the memory budget", () => {
  test("is shared evenly by receivers that do not read, and leaves as much free as each holds", () => {
    const budget = new MemoryBudget({ maxTotalBufferedBytes: 4 * TOTAL });
    const waiting = Array.from({ length: 9 }, () => 0);
    for (let round = 0; round < 1000; round++) {
      waiting.forEach((bytes, at) => {
        if (!budget.makeRoomFor(bytes, 1000, Number.POSITIVE_INFINITY)) return;
        waiting[at] = bytes + 1000;
        budget.count(1000);
      });
    }
    expect(budget.bytes).toBeLessThanOrEqual(TOTAL);
    // An eighth is reserved for owners that hold little.
    const share = (TOTAL * 7) / 8 / 10;
    for (const bytes of waiting) expect(Math.abs(bytes - share)).toBeLessThan(2000);
    expect(budget.makeRoomFor(0, share - 1000, Number.POSITIVE_INFINITY)).toBe(true);
    budget.count(share);
    expect([
      budget.makeRoomFor(0, 16_384, Number.POSITIVE_INFINITY),
      budget.makeRoomFor(16_384, 1, Number.POSITIVE_INFINITY),
    ]).toEqual([true, false]);
  });

  test("is recounted before bytes that have left meanwhile cause a refusal", () => {
    const budget = new MemoryBudget({ maxTotalBufferedBytes: 4 * TOTAL });
    budget.count(TOTAL);
    budget.watch({ recount: () => budget.count(-budget.bytes) });
    vi.advanceTimersByTime(1000);
    expect(budget.makeRoomFor(0, 100_000, Number.POSITIVE_INFINITY)).toBe(true);
  });
});

/** A connection whose bytes have waited since a given time, until it is evicted. */
class FakeHolder implements Holder {
  readonly hasUnpromisedMessages = false;
  waitingSince: number;
  readonly #budget: () => MemoryBudget;
  readonly #bytes: number;

  constructor(budget: () => MemoryBudget, bytes: number, waitingSince: number) {
    this.#budget = budget;
    this.#bytes = bytes;
    this.waitingSince = waitingSince;
    budget().count(bytes);
  }

  dropUnpromisedMessages(): void {}

  evict(): void {
    if (this.waitingSince === Number.POSITIVE_INFINITY) throw new Error("It was evicted before");
    this.waitingSince = Number.POSITIVE_INFINITY;
    this.#budget().count(-this.#bytes);
  }
}

describe("a budget that has nothing left", () => {
  /** Creates holders of 100,000 bytes each that have waited since these times; the present time is 10,000. */
  function exhaust(...moments: readonly number[]) {
    vi.advanceTimersByTime(10_000 - performance.now());
    const holders: FakeHolder[] = [];
    const bytes = moments.length * 100_000;
    const budget: MemoryBudget = new MemoryBudget({ maxTotalBufferedBytes: (4 * bytes * 8) / 7 }, () => holders);
    for (const moment of moments) holders.push(new FakeHolder(() => budget, 100_000, moment));
    const evicted = (): number[] => moments.filter((_, at) => holders[at]?.waitingSince === Number.POSITIVE_INFINITY);
    return { budget, evicted };
  }

  test("takes from those that have waited longest, no more than it needs", () => {
    const { budget, evicted } = exhaust(8000, 2000, 5000, 9900);
    expect(budget.makeRoomFor(0, 150_000, Number.POSITIVE_INFINITY)).toBe(true);
    expect(evicted()).toEqual([2000, 5000]);
  });

  test("takes nothing from holders that have waited less than a second", () => {
    const { budget, evicted } = exhaust(9001, 9500);
    expect(budget.makeRoomFor(0, 20_000, Number.POSITIVE_INFINITY)).toBe(false);
    expect([evicted(), budget.refusals]).toEqual([[], 1]);
  });

  test("takes nothing from holders that have waited less than the one that asks", () => {
    const { budget, evicted } = exhaust(3000, 5000);
    expect(budget.makeRoomFor(0, 150_000, 4000)).toBe(false);
    expect(evicted()).toEqual([3000]);
  });

  test("takes nothing for a message that could never fit", () => {
    const { budget, evicted } = exhaust(3000, 5000);
    expect(budget.makeRoomFor(0, 200_001, Number.POSITIVE_INFINITY)).toBe(false);
    expect(evicted()).toEqual([]);
  });
});

describe("a relay's buffers", () => {
  test("are empty when everybody has read everything", () => {
    const { relay, connect } = startRelay();
    const [one] = [connect(), connect()];
    one.says("2:hello");
    expect(relay.holdings.bufferedBytes).toBe(0);
  });

  test("hold messages that a client does not read, until its socket is gone", () => {
    const { relay, turn } = startRelay();
    const connection = new FakeConnection();
    const link = relay.open(connection);
    connection.waitingBytes = 5000;
    link.onMessage("1:x", false);
    turn.end();
    expect(relay.holdings.bufferedBytes).toBe(5000);
    link.startClosing(CLOSE_CODES.replaced);
    expect(relay.holdings.bufferedBytes).toBe(5000);
    connection.waitingBytes = 0;
    link.onSocketGone(1006, "");
    expect(relay.holdings.bufferedBytes).toBe(0);
  });

  test("hold messages in mailboxes, until they are acknowledged or their session ends", () => {
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

  test("are limited: messages to a receiver that does not read are refused, those to one that reads are not", () => {
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

  test("slow down a client whose message had no room, and no other", () => {
    const { relay } = startRelay({ limits: { maxTotalBufferedBytes: 400_000, maxBufferedBytes: 50_000 } });
    const sender = new FakeConnection();
    const slow = new FakeConnection();
    const [link] = [relay.open(sender), relay.open(slow)];
    slow.waitingBytes = 60_000;
    link.onMessage("2:too much waits for this one alone", false);
    expect(sender.count("slowDown")).toBe(0);
    slow.waitingBytes = 45_000;
    link.onMessage(`2:${"x".repeat(56_000)}`, false);
    expect([sender.count("slowDown"), slow.count("slowDown")]).toEqual([1, 0]);
  });

  test("give one half to sessions that are away: a send to one with too much mail is refused", () => {
    const { connectJson } = startJsonRelay({ limits: { maxTotalBufferedBytes: 1_000_000 } });
    const [one, two] = [connectJson(), connectJson()];
    two.vanishes();
    const outcomes = Array.from({ length: 6 }, (_, at) => one.sends("2", "x".repeat(20_000), at)?.outcome);
    expect(outcomes).toEqual(["queued", "queued", "queued", "failed", "failed", "failed"]);
    expect(one.all("ack").at(-1)?.error?.code).toBe("mailbox_full");
  });
});

/** A connection that has not read for two seconds, until it is dropped. */
class StalledConnection extends FakeConnection {
  link: Link | undefined = undefined;

  constructor(bytes: number) {
    super();
    this.waitingBytes = bytes;
  }

  override terminate(): void {
    super.terminate();
    this.waitingBytes = 0;
    this.link?.onSocketGone(1006, "");
  }
}

describe("an evicted connection", () => {
  function openStalled(relay: Relay, protocol: Protocol, bytes: number, says: readonly string[]): StalledConnection {
    const connection = new StalledConnection(bytes);
    connection.link = relay.open(connection, { protocol });
    for (const frame of says) connection.link.onMessage(frame, false);
    return connection;
  }

  test("is never the one that asks for memory: it is refused, and leaves no room behind", () => {
    const { relay, turn } = startRelay({ limits: { maxTotalBufferedBytes: 400_000 } });
    const stalled = openStalled(relay, text, 90_000, [":ping"]);
    turn.end();
    vi.advanceTimersByTime(2000);
    for (let room = 0; room < 200; room++) stalled.link?.onMessage(`:join room-${room}`, false);
    expect(stalled.link?.hasEnded).toBe(false);
    expect(relay.holdings.rooms).toBeLessThan(200);
    stalled.link?.onSocketGone(1006, "");
    expect(relay.holdings).toMatchObject({ rooms: 0, sessions: 0 });
  });

  test("is never the receiver of the message: its sender is told too_slow", () => {
    const { relay, turn, connectJson } = startJsonRelay({ limits: { maxTotalBufferedBytes: 400_000 }, resumeMs: 0 });
    const sender = connectJson();
    const stalled = openStalled(relay, json, 60_000, ['{"type":"sequenceAck","sequenceId":0}']);
    turn.end();
    vi.advanceTimersByTime(2000);
    expect(sender.sends("2", "x".repeat(40_000), 1)).toMatchObject({ outcome: "failed", error: { code: "too_slow" } });
    stalled.link?.onSocketGone(1006, "");
    stalled.waitingBytes = 0;
    expect(relay.holdings).toMatchObject({ bufferedBytes: 0, sessions: 1 });
  });

  test("ends after the work that needed its memory, one after the other, however many there are", async () => {
    const failed: unknown[] = [];
    const { relay, turn, connect } = startRelay({
      limits: { maxTotalBufferedBytes: 4_000_000 },
      observer: { failed: (_id, error) => failed.push(error) },
    });
    const reader = connect({ protocol: text });
    reader.says(":join lobby");
    const stalled = Array.from({ length: 3000 }, () => openStalled(relay, text, 300, [":join lobby"]));
    turn.end();
    vi.advanceTimersByTime(2000);
    for (let times = 0; times < 5; times++) {
      reader.says(`1:${"x".repeat(700_000)}`);
      await Promise.resolve();
    }
    const closed = stalled.filter(({ link }) => link?.hasEnded);
    expect(closed.length).toBeGreaterThan(1000);
    for (const connection of closed) expect(connection.did.slice(-2)).toEqual(["close 4000", "terminate"]);
    expect(failed).toEqual([]);
    expect(relay.holdings.sessions).toBe(relay.holdings.connections);
    expect(reader.heard).toContain(`1:${"x".repeat(700_000)}`);
  });
});

describe("mail that was dropped for lack of memory", () => {
  test("is reported to the next client with its id", () => {
    const limits = { maxTotalBufferedBytes: 100_000 };
    const { relay, connectJson } = startJsonRelay({ limits });
    const sender = connectJson();
    connectJson({ id: "ann" }).vanishes();
    expect(sender.sends("ann", "x", 1)?.outcome).toBe("queued");
    for (let count = 0; count < 20; count++) connectJson({ id: `other-${count}` }).vanishes();
    expect(sender.sends("ann", "x", 2)?.error?.code).toBe("no_such_id");
    expect(connectJson({ id: "ann" }).welcome).toMatchObject({ resumed: false, recovered: false });
    relay.shutdown();
  });
});
