import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HEARTBEAT_MS, startClient, stateOf, stubPage } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const PERSISTED = { persisted: true };

describe("a page that goes into the back-forward cache", () => {
  test("leaves its session with 4001, and does not connect before it is shown again", async () => {
    const page = stubPage();
    const { client, sockets, socket, named } = startClient();
    socket().welcomes({ resumeToken: "secret" });
    page.tell("pagehide", PERSISTED);
    expect(socket().closed).toEqual([[4001, expect.any(String)]]);
    expect(named("disconnected")).toMatchObject([["disconnected", { code: 1006, retryMs: 0 }]]);
    const send = client.send("3", "meanwhile");
    page.tell("online");
    vi.advanceTimersByTime(3_600_000);
    expect(sockets.length).toBe(1);

    page.tell("pageshow", PERSISTED);
    expect(sockets.length).toBe(2);
    expect(socket().url.searchParams.get("resume")).toBe("secret");
    socket().welcomes({ resumed: true });
    expect(socket().asked).toEqual(["meanwhile#1"]);
    socket().acks(1);
    expect(await stateOf(send)).toBe("delivered");
  });

  test("before a retry connects at once when it is shown again", () => {
    const page = stubPage();
    const { sockets, socket } = startClient();
    socket().ends();
    page.tell("pagehide", PERSISTED);
    vi.advanceTimersByTime(3_600_000);
    expect(sockets.length).toBe(1);
    page.tell("pageshow", PERSISTED);
    expect(sockets.length).toBe(2);
  });

  test("during an attempt ignores a token that comes late", async () => {
    const page = stubPage();
    const gives: ((token: string) => void)[] = [];
    const token = (): Promise<string> => new Promise((resolve) => gives.push(resolve));
    const { sockets, socket } = startClient({ token });
    page.tell("pagehide", PERSISTED);
    page.tell("pageshow", PERSISTED);
    gives[0]?.("early");
    gives[1]?.("late");
    await vi.advanceTimersByTimeAsync(0);
    expect([sockets.length, socket().offers[2]]).toEqual([1, "bearer.late"]);
  });

  test("can be closed in the cache, and then does not connect again", () => {
    const page = stubPage();
    const { client, sockets, socket, named } = startClient();
    socket().welcomes();
    page.tell("pagehide", PERSISTED);
    client.close();
    page.tell("pageshow", PERSISTED);
    vi.advanceTimersByTime(3_600_000);
    expect([sockets.length, named("closed").length, page.listeners, vi.getTimerCount()]).toEqual([1, 1, 0, 0]);
  });
});

test("a client does nothing when its page is loaded or unloaded: the browser ends the session", () => {
  const page = stubPage();
  const { sockets, socket, events } = startClient();
  page.tell("pageshow", { persisted: false });
  socket().welcomes();
  page.tell("pagehide", { persisted: false });
  expect([sockets.length, socket().closed, events.length]).toEqual([1, [], 1]);
});

describe("a timer that fires late, as after a page was frozen or a machine slept", () => {
  test("does not end the connection before the frames that came meanwhile are read", () => {
    const { sockets, socket } = startClient();
    socket().welcomes();
    // The first timer after waking fires before the queued frames are read.
    vi.advanceTimersToNextTimer();
    expect([socket().closed, socket().all("ping").length]).toEqual([[], 1]);
    socket().delivers(1);
    vi.advanceTimersByTime(2 * HEARTBEAT_MS - 1);
    expect([sockets.length, socket().closed]).toEqual([1, []]);
  });

  test("pings the relay, which has half a beat to answer", () => {
    const { socket } = startClient();
    socket().welcomes();
    vi.advanceTimersToNextTimer();
    vi.advanceTimersByTime(HEARTBEAT_MS / 2 - 1);
    expect(socket().closed).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(socket().closed.map(([code]) => code)).toEqual([4001]);
  });
});
