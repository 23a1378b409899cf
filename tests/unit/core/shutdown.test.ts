import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { json } from "../../../src/core/protocol/json.ts";
import { type FakeClient, FakeConnection, startRelay } from "../fakes.ts";

const CLOSE_TIMEOUT_MS = 2000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts a shutdown. `isDone` returns whether it is over. */
function shutDown(relay: { shutdown(): Promise<void> }) {
  let done = false;
  const promise = relay.shutdown().then(() => {
    done = true;
  });
  return { promise, isDone: () => done };
}

describe("shutting down", () => {
  test("is over at once where nobody is connected, and leaves no timer", async () => {
    const { relay } = startRelay();
    const { isDone } = shutDown(relay);
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("closes all connections with 1001, behind their queued frames", async () => {
    const { relay, connect } = startRelay();
    const [one, two] = [connect(), connect()];
    const echo = new FakeConnection();
    relay.openEcho(echo);
    one.link.onMessage("2:last words", false);
    shutDown(relay);
    expect(one.did).toEqual(["close 1001"]);
    expect(two.did).toEqual(["write last words", "close 1001"]);
    expect(echo.did).toEqual(["close 1001"]);
    expect(relay.holdings.sessions).toBe(0);
  });

  test("is over when the last connection has gone, not earlier, and leaves no timer", async () => {
    const { relay, connect } = startRelay();
    const [one, two] = [connect(), connect()];
    const { isDone } = shutDown(relay);
    one.link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT_MS - 1);
    expect(isDone()).toBe(false);
    two.link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone()).toBe(true);
    expect([one.did, two.did]).toEqual([["close 1001"], ["close 1001"]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("drops connections that are still open after closeTimeoutMs, and does not wait for them", async () => {
    const { relay, connect } = startRelay();
    const [polite, mute] = [connect(), connect()];
    const { isDone } = shutDown(relay);
    polite.link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(CLOSE_TIMEOUT_MS - 1);
    expect(mute.did).toEqual(["close 1001"]);
    expect(isDone()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(mute.did).toContain("terminate");
    expect(isDone()).toBe(true);
    expect(polite.did).toEqual(["close 1001"]);
  });

  test("waits for connections that were closing already", async () => {
    const { relay, connect } = startRelay();
    const one = connect();
    one.link.onPeerClosing(1000, "");
    const { isDone } = shutDown(relay);
    await vi.advanceTimersByTimeAsync(1);
    expect(isDone()).toBe(false);
    one.link.onSocketGone(1000, "");
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone()).toBe(true);
    expect(one.did).toEqual([]);
  });

  test("accepts no connection: one that opens now closes with 1001, and is waited for", async () => {
    const { relay, connect } = startRelay();
    const one = connect();
    expect(relay.isShuttingDown).toBe(false);
    const { isDone } = shutDown(relay);
    expect(relay.isShuttingDown).toBe(true);
    expect(relay.accepts).toBe(false);
    const late = connect();
    expect(late.did).toEqual(["close 1001"]);
    one.link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone()).toBe(false);
    late.link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone()).toBe(true);
  });

  test("twice is over twice when the last connection has gone", async () => {
    const { relay, connect } = startRelay();
    const one = connect();
    const first = shutDown(relay);
    const second = shutDown(relay);
    one.link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(0);
    expect([first.isDone(), second.isDone()]).toEqual([true, true]);
  });

  test("pings no connection any more", async () => {
    const { relay, connect } = startRelay({ closeTimeoutMs: 60_000 });
    const one = connect();
    shutDown(relay);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(one.did).toEqual(["close 1001"]);
  });
});

describe("a drain", () => {
  /** Advances the time in steps, and notes when each connection was closed with which code. */
  async function watch(clients: readonly FakeClient[], ms: number) {
    const closes = new Map<FakeClient, { readonly code: string; readonly atMs: number }>();
    for (let atMs = 0; atMs <= ms; atMs += 10) {
      for (const client of clients) {
        const close = client.did.find((call) => call.startsWith("close"));
        if (close !== undefined && !closes.has(client)) {
          closes.set(client, { code: close.slice("close ".length), atMs });
          client.leaves();
        }
      }
      await vi.advanceTimersByTimeAsync(10);
    }
    return clients.map((client) => closes.get(client));
  }

  test("closes connections with 1012, evenly over the time, and is over with the last one", async () => {
    const { relay, connect } = startRelay();
    const clients = Array.from({ length: 100 }, () => connect());
    let isDone = false;
    void relay.shutdown({ drainMs: 1000 }).then(() => {
      isDone = true;
    });
    const closes = await watch(clients, 1100);
    expect(new Set(closes.map((close) => close?.code))).toEqual(new Set(["1012"]));
    for (let part = 0; part < 4; part++) {
      const inPart = closes.filter((close) => Math.floor((close?.atMs ?? 0) / 250) === part).length;
      expect(inPart).toBeGreaterThan(10);
    }
    expect(isDone).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is over early where every client has gone by itself", async () => {
    const { relay, connect } = startRelay();
    const clients = [connect(), connect(), connect()];
    let isDone = false;
    void relay.shutdown({ drainMs: 60_000 }).then(() => {
      isDone = true;
    });
    for (const client of clients) client.leaves();
    await vi.advanceTimersByTimeAsync(100);
    expect(isDone).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits for a client that still has something to read, and closes it with 1001 at the end", async () => {
    const { relay, connect } = startRelay();
    const [slow, stuck] = [connect(), connect()];
    slow.connection.waitingBytes = 1000;
    stuck.connection.waitingBytes = 1000;
    void relay.shutdown({ drainMs: 1000 });
    await vi.advanceTimersByTimeAsync(600);
    expect([slow.did, stuck.did]).toEqual([[], []]);
    slow.connection.waitingBytes = 0;
    await vi.advanceTimersByTimeAsync(390);
    expect(slow.did).toEqual(["close 1012"]);
    expect(stuck.did).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(stuck.did).toEqual(["close 1001"]);
  });

  test("goes on with messages between clients that are still there", async () => {
    const { relay, connect } = startRelay();
    const clients = Array.from({ length: 10 }, () => connect());
    void relay.shutdown({ drainMs: 1000 });
    await vi.advanceTimersByTimeAsync(100);
    const [one, two] = clients.filter(({ link }) => !link.hasEnded).slice(-2);
    one?.says(`${clients.indexOf(two as FakeClient) + 1}:still here`);
    expect(two?.heard).toEqual(["still here"]);
  });

  test("ends sessions that are away when it begins, and lets none go away: their clients could not come back", async () => {
    const { relay, connect } = startRelay();
    const [away, lost, stays] = [json, json, json].map((protocol) => connect({ protocol }));
    away?.link.onSocketGone(1006, "");
    expect(relay.holdings.sessions).toBe(3);
    void relay.shutdown({ drainMs: 60_000 });
    expect(relay.holdings.sessions).toBe(2);
    lost?.link.onSocketGone(1006, "");
    expect(relay.holdings.sessions).toBe(1);
    expect(stays?.link.hasEnded).toBe(false);
  });

  test("begins after a delay, in which the relay takes connections", async () => {
    const { relay, connect } = startRelay();
    const onRefusing = vi.fn();
    void relay.shutdown({ delayMs: 500, drainMs: 100, onRefusing });
    expect([relay.isShuttingDown, relay.isRefusing, relay.accepts]).toEqual([true, false, true]);
    const late = connect();
    expect(late.did).toEqual([]);
    await vi.advanceTimersByTimeAsync(499);
    expect(onRefusing).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(onRefusing).toHaveBeenCalledOnce();
    expect([relay.isRefusing, relay.accepts]).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(100);
    expect(late.did).toEqual(["close 1012"]);
  });

  test.each<[string, object]>([
    ["Cannot shut down: drainMs is -1", { drainMs: -1 }],
    ["Cannot shut down: delayMs is 3000000000", { delayMs: 3e9 }],
    ['Cannot shut down: there is no option "drain"', { drain: 5 }],
  ])("refuses wrong options: %s", (message, options) => {
    const { relay } = startRelay();
    expect(() => relay.shutdown(options)).toThrow(message);
    expect(relay.isShuttingDown).toBe(false);
  });
});
