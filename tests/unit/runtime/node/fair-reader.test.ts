import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FairReader } from "../../../../src/runtime/node/fair-reader.ts";
import type { RelaySocket } from "../../../../src/runtime/node/socket.ts";

const SHARE_BYTES = 65_536;
const SLOW_MS = 250;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A client whose bytes come when the test says so. */
class Client {
  /** Whether the relay reads from the client. */
  isRead = true;
  readonly reader: FairReader;
  readonly #socket = new EventEmitter();
  /** Stands in for the listener of `ws`. */
  readonly #listener = vi.fn();

  constructor() {
    this.#socket.on("data", this.#listener);
    const ws = {
      pause: () => {
        this.isRead = false;
      },
      resume: () => {
        this.isRead = true;
      },
    };
    // A FairReader uses only these methods of the two.
    this.reader = new FairReader(ws as RelaySocket, this.#socket as Socket, SHARE_BYTES);
  }

  /** Sends bytes that break the protocol, so that they are passed to the listener of `ws`. */
  sends(bytes: number): void {
    this.#socket.emit("data", Buffer.alloc(bytes));
  }

  /** Removes the listener, as `ws` does. */
  removeListener(): void {
    this.#socket.off("data", this.#listener);
  }

  /** Number of pieces that the listener got. */
  get pieces(): number {
    return this.#listener.mock.calls.length;
  }
}

/** Waits for the next turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a client that sends without a pause", () => {
  test("is not read from beyond its share, until the next turn", async () => {
    const client = new Client();
    client.sends(SHARE_BYTES - 1);
    expect(client.isRead).toBe(true);
    client.sends(1);
    expect(client.isRead).toBe(false);
    await turn();
    expect(client.isRead).toBe(true);
  });

  test("has all its bytes passed to the listener of ws once, until ws removes that listener", () => {
    const client = new Client();
    client.sends(2);
    client.sends(SHARE_BYTES);
    expect(client.pieces).toBe(2);
    client.removeListener();
    client.sends(2);
    expect(client.pieces).toBe(2);
  });

  test("waits for as many turns as it has sent shares in one piece", async () => {
    const client = new Client();
    client.sends(3 * SHARE_BYTES);
    await turn();
    await turn();
    expect(client.isRead).toBe(false);
    await turn();
    expect(client.isRead).toBe(true);
  });

  test("has its turn after the clients that paused before it, 16 in each turn", async () => {
    const clients = Array.from({ length: 40 }, () => new Client());
    for (const client of clients) client.sends(SHARE_BYTES);
    const read: number[] = [];
    for (let count = 0; count < 3; count++) {
      await turn();
      read.push(clients.filter(({ isRead }) => isRead).length);
    }
    expect(read).toEqual([16, 32, 40]);
    expect(clients[0]?.isRead).toBe(true);
  });

  test("waits longer for each share while its messages are refused", async () => {
    const client = new Client();
    client.reader.slowDown();
    client.sends(2 * SHARE_BYTES);
    vi.advanceTimersByTime(2 * SLOW_MS - 1);
    expect(client.isRead).toBe(false);
    vi.advanceTimersByTime(1);
    await turn();
    await turn();
    expect(client.isRead).toBe(true);
    client.sends(SHARE_BYTES);
    await turn();
    expect(client.isRead).toBe(true);
  });

  test("is read without pauses once its link has ended", async () => {
    const client = new Client();
    client.sends(10 * SHARE_BYTES);
    client.reader.stop();
    expect(client.isRead).toBe(true);
    client.sends(10 * SHARE_BYTES);
    await turn();
    expect(client.isRead).toBe(true);
  });
});
