import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ConnectOptions, connect } from "../../../src/client/index.ts";
import type { ClientSocket } from "../../../src/client/socket.ts";
import type { Connection } from "../../../src/core/link/connection.ts";
import type { Limits } from "../../../src/core/link/limits.ts";
import type { Link } from "../../../src/core/link/link.ts";
import { type Frame, frameText } from "../../../src/core/protocol/frame.ts";
import { json } from "../../../src/core/protocol/json.ts";
import { Relay } from "../../../src/core/relay.ts";

// The client library with the real relay, over a network that loses connections and the frames in flight on them.

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const LATENCY_MS = 5;

/** Both ends of one WebSocket. Frames in flight when the wire is cut never arrive. */
class Wire implements ClientSocket, Connection {
  readonly protocol = "relay.v1.json";
  binaryType = "blob";
  onmessage: ClientSocket["onmessage"] = null;
  onclose: ClientSocket["onclose"] = null;
  onerror: ClientSocket["onerror"] = null;
  #link: Link | undefined;
  #isCut = false;
  #isClosing = false;

  constructor(relay: Relay, id: string, url: string) {
    const resume = new URL(url).searchParams.get("resume") ?? undefined;
    this.#later(() => {
      this.#link = relay.open(this, { protocol: json, id, resume });
    });
  }

  send(data: string | Uint8Array): void {
    this.#later(() => this.#link?.onMessage(data, typeof data !== "string"));
  }

  write(frames: readonly Frame[]): void {
    const texts = frames.map(frameText);
    this.#later(() => {
      for (const data of texts) this.onmessage?.({ data } as never); // As its type in ClientSocket asks.
    });
  }

  bufferedBytes(): number {
    return 0;
  }

  /** Closes the socket for either end: the client uses 4001 and 1000, the relay all other codes. */
  close(code = 1005, reason = ""): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#later(() => {
      this.#link?.onSocketGone(code, reason);
      this.onclose?.({ code, reason } as never); // As its type in ClientSocket asks.
    });
  }

  terminate(): void {
    this.cut(0, 0);
  }

  /** Cuts the network. Each end notices at its own time. */
  cut(relayNoticesMs: number, clientNoticesMs: number): void {
    if (this.#isCut) return;
    this.#isCut = true;
    setTimeout(() => this.#link?.onSocketGone(1006, ""), relayNoticesMs);
    setTimeout(() => this.onclose?.({ code: 1006, reason: "" } as never), clientNoticesMs); // As its type asks.
  }

  #later(happen: () => void): void {
    setTimeout(() => {
      if (!this.#isCut) happen();
    }, LATENCY_MS);
  }
}

function startNetwork(limits: Partial<Limits> = {}) {
  const failures: unknown[] = [];
  const relay = new Relay({ limits, observer: { failed: (_id, error) => failures.push(error) } });
  const join = (id: string) => {
    const wires: Wire[] = [];
    class Socket extends Wire {
      constructor(url: string) {
        super(relay, id, url);
        wires.push(this);
      }
    }
    const options: ConnectOptions = { WebSocket: Socket, minDelayMs: 50, maxDelayMs: 1000 };
    return { client: connect<number>("ws://relay/ws", options), latest: () => wires.at(-1) };
  };
  return { relay, failures, join };
}

const noticesMs = fc.integer({ min: 0, max: 3000 });
const step = fc.oneof(
  { arbitrary: fc.record({ sends: fc.integer({ min: 1, max: 40 }) }), weight: 3 },
  { arbitrary: fc.record({ waitMs: fc.integer({ min: 0, max: 400 }) }), weight: 3 },
  {
    arbitrary: fc.record({ cut: fc.constantFrom("sender", "receiver"), relay: noticesMs, client: noticesMs }),
    weight: 2,
  },
);

test("whenever connections are lost, messages arrive once, in order, and each sender gets the outcomes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const { relay, failures, join } = startNetwork();
      const [sender, receiver] = [join("alice"), join("bob")];
      const arrived: number[] = [];
      receiver.client.on("message", ({ data }) => arrived.push(data));
      await vi.advanceTimersByTimeAsync(10 * LATENCY_MS);
      const outcomes: Promise<string>[] = [];
      for (const each of steps) {
        if ("waitMs" in each) await vi.advanceTimersByTimeAsync(each.waitMs);
        else if ("cut" in each) (each.cut === "sender" ? sender : receiver).latest()?.cut(each.relay, each.client);
        else for (let sends = 0; sends < each.sends; sends++) outcomes.push(sender.client.send("bob", outcomes.length));
      }
      const all = Promise.allSettled(outcomes);
      await vi.advanceTimersByTimeAsync(20_000);
      expect((await all).map((outcome) => outcome.status)).toEqual(outcomes.map(() => "fulfilled"));
      expect(arrived).toEqual(outcomes.map((_outcome, at) => at));
      expect(failures).toEqual([]);
      sender.client.close();
      receiver.client.close();
      await vi.advanceTimersByTimeAsync(5000);
      expect(relay.holdings.sessions).toBe(0);
      await relay.shutdown();
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 100 },
  );
}, 60_000);

test("a receiver that stops iterating loses nothing; its senders get too_slow when its mailbox is full", async () => {
  const { relay, join } = startNetwork({ maxMailboxMessages: 10 });
  const [sender, receiver] = [join("alice"), join("bob")];
  const messages = receiver.client[Symbol.asyncIterator]();
  const first = messages.next();
  await vi.advanceTimersByTimeAsync(10 * LATENCY_MS);
  const outcomes: Promise<string>[] = [];
  for (let data = 0; data < 25; data++) {
    outcomes.push(sender.client.send("bob", data));
    // Longer than the delay of an acknowledgement.
    await vi.advanceTimersByTimeAsync(300);
  }
  const all = await Promise.allSettled(outcomes);
  const delivered = all.filter(({ status }) => status === "fulfilled").length;
  // The pending `next` takes one message.
  expect(delivered).toBe(11);
  expect(all.slice(delivered)).toEqual(
    Array.from({ length: 25 - delivered }, () => ({
      status: "rejected",
      reason: expect.objectContaining({ code: "too_slow", temporary: true }),
    })),
  );

  receiver.latest()?.cut(0, 0);
  const taken = [await first];
  while (taken.length < delivered) taken.push(await messages.next());
  await vi.advanceTimersByTimeAsync(5000);
  const later = sender.client.send("bob", 99);
  await vi.advanceTimersByTimeAsync(300);
  expect(await later).toBe("delivered");
  taken.push(await messages.next());
  expect(taken.map(({ value }) => value?.data)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99]);
  sender.client.close();
  receiver.client.close();
  await vi.advanceTimersByTimeAsync(5000);
  await relay.shutdown();
});
