import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FairReader } from "../../../../src/runtime/node/fair-reader.ts";

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

  constructor() {
    const socket = {
      link: undefined,
      isOfWs: false,
      answerPing() {},
      answerClose() {},
      passToWs() {},
      pause: () => {
        this.isRead = false;
      },
      resume: () => {
        this.isRead = true;
      },
    };
    this.reader = new FairReader(socket, SHARE_BYTES);
  }

  sends(bytes: number): void {
    this.reader.read(Buffer.alloc(bytes));
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
