import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeConnection, startRelay } from "../fakes.ts";

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
