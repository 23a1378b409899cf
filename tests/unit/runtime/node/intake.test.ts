import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Intake } from "../../../../src/runtime/node/intake.ts";
import type { RelaySocket } from "../../../../src/runtime/node/socket.ts";

const SHARE_BYTES = 65_536;
const SLOW_MS = 250;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A client whose bytes come when the test says so, and whether it is read from. */
class Client {
  isRead = true;
  readonly intake: Intake;
  readonly #socket = new EventEmitter();
  /** What reads the socket. */
  readonly #read = vi.fn();

  constructor() {
    this.#socket.on("data", this.#read);
    const ws = {
      pause: () => {
        this.isRead = false;
      },
      resume: () => {
        this.isRead = true;
      },
    };
    // An Intake uses no more of either than this.
    this.intake = new Intake(ws as RelaySocket, this.#socket as Socket);
  }

  sends(bytes: number): void {
    this.#socket.emit("data", Buffer.alloc(bytes));
  }

  /** Its reader takes itself off. */
  isLeft(): void {
    this.#socket.off("data", this.#read);
  }

  /** In how many pieces its reader was given what came. */
  get pieces(): number {
    return this.#read.mock.calls.length;
  }
}

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a client that sends without end", () => {
  test("is not read from beyond its share, until the next turn", async () => {
    const client = new Client();
    client.sends(SHARE_BYTES - 1);
    expect(client.isRead).toBe(true);
    client.sends(1);
    expect(client.isRead).toBe(false);
    await turn();
    expect(client.isRead).toBe(true);
  });

  test("has all that it sends read, once, until its reader leaves", () => {
    const client = new Client();
    client.sends(1);
    client.sends(SHARE_BYTES);
    expect(client.pieces).toBe(2);
    client.isLeft();
    client.sends(1);
    expect(client.pieces).toBe(2);
  });

  test("waits as many turns as it has sent shares, where they came in one piece", async () => {
    const client = new Client();
    client.sends(3 * SHARE_BYTES);
    await turn();
    await turn();
    expect(client.isRead).toBe(false);
    await turn();
    expect(client.isRead).toBe(true);
  });

  test("has its turn after those who came before it, so many at a time", async () => {
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

  test("and is refused waits longer for each share", async () => {
    const client = new Client();
    client.intake.slowDown();
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

  test("is read from whatever it sends when nobody listens any more", async () => {
    const client = new Client();
    client.sends(10 * SHARE_BYTES);
    client.intake.stop();
    expect(client.isRead).toBe(true);
    client.sends(10 * SHARE_BYTES);
    await turn();
    expect(client.isRead).toBe(true);
  });
});
