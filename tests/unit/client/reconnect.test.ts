import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient, stateOf, stubPage } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a connection that is lost", () => {
  test.each([1000, 1001, 1005, 1006, 1011, 1012, 1013, 4000, 4001, 4499])(
    "with %i is made again, with the token",
    (code) => {
      const { sockets, socket, events } = startClient({}, "wss://relay.example.org/ws?key=1");
      socket().welcomes({ resumeToken: "secret" });
      socket().ends(code, "a reason");
      expect(events.at(-1)).toEqual(["disconnected", { code, reason: "a reason", retryMs: expect.any(Number) }]);
      vi.advanceTimersByTime(500);
      expect(sockets.length).toBe(2);
      expect(socket().url.search).toBe("?key=1&refusal=close&resume=secret&attempt=2");
    },
  );

  test.each([1002, 1003, 1007, 1008, 1009, 4500, 4501, 4999])("with %i closes the client", async (code) => {
    const { client, sockets, socket, events } = startClient();
    socket().welcomes();
    const send = client.send("3", "hi");
    socket().ends(code, "a reason");
    expect(events.at(-1)).toEqual(["closed", { code, reason: "a reason" }]);
    expect(await stateOf(send)).toBe("failed closed");
    vi.advanceTimersByTime(3_600_000);
    expect(sockets.length).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("with 1012 is made again at once, and with growing delays where the next relay closes with 1012 too", () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { socket, named } = startClient();
    socket().welcomes();
    const delays: unknown[] = [];
    for (let count = 0; count < 4; count++) {
      socket().ends(1012, "The relay restarts: connect again");
      const [, ending] = named("disconnected").at(-1) ?? [];
      const { retryMs } = ending as { retryMs: number };
      delays.push(retryMs);
      vi.advanceTimersByTime(retryMs);
      socket().welcomes();
    }
    expect(delays).toEqual([0, 1000, 2000, 4000]);
  });

  test("without a reason says what is known of it, and in how many whole milliseconds it is made again", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.123456);
    const { socket, named } = startClient();
    socket().ends();
    vi.advanceTimersByTime(62);
    socket().welcomes();
    socket().ends();
    expect(named("disconnected")).toEqual([
      ["disconnected", { code: 1006, reason: "No relay answered", retryMs: 62 }],
      ["disconnected", { code: 1006, reason: "The connection was lost", retryMs: 124 }],
    ]);
  });

  test("is followed by one with the latest token, or without a token where there never was a welcome", () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { socket } = startClient();
    const again = (): string | null => {
      socket().ends();
      vi.advanceTimersByTime(0);
      return socket().url.searchParams.get("resume");
    };
    expect(again()).toBeNull();
    socket().welcomes({ resumeToken: "one" });
    expect([again(), again()]).toEqual(["one", "one"]);
    socket().welcomes({ resumeToken: "two", resumed: true });
    expect(again()).toBe("two");
  });

  test("is followed by a connected event with resumed; the id changes where the session is a new one", () => {
    const { client, socket, named } = startClient();
    socket().welcomes({ id: "7" });
    socket().ends();
    vi.advanceTimersByTime(500);
    socket().welcomes({ id: "9", resumed: false, recovered: false });
    expect(client.id).toBe("9");
    expect(named("connected").at(-1)).toEqual(["connected", { id: "9", resumed: false, recovered: false }]);
  });
});

describe("the delay before a retry", () => {
  /** Returns the longest delays of the client, one after the other, while no relay answers. */
  function longestWaits(options: { minDelayMs?: number; maxDelayMs?: number }, times: number): number[] {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { socket, named } = startClient(options);
    for (let failures = 0; failures < times; failures++) {
      socket().ends();
      vi.advanceTimersToNextTimer();
    }
    return named("disconnected").map(([, event]) => (event as { retryMs: number }).retryMs); // It is a disconnected.
  }

  test("is at most 500 ms at first, doubles with each failure, and never exceeds 30 s", () => {
    expect(longestWaits({}, 9)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("follows minDelayMs and maxDelayMs, also after many failures", () => {
    const waits = longestWaits({ minDelayMs: 10, maxDelayMs: 100 }, 2000);
    expect(waits.slice(0, 6)).toEqual([10, 20, 40, 80, 100, 100]);
    expect(Math.max(...waits)).toBe(100);
  });

  test("is random between 0 and that maximum, and is the retryMs of the event", () => {
    vi.spyOn(Math, "random").mockReturnValue(0.25);
    const { sockets, socket, named } = startClient();
    socket().ends();
    expect(named("disconnected")).toMatchObject([["disconnected", { retryMs: 125 }]]);
    vi.advanceTimersByTime(124);
    expect(sockets.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(sockets.length).toBe(2);
  });

  test.each([
    ["stays as long after a welcome that the relay closes right after", [], 16_000],
    ["is short again after a ping", [{ type: "ping" }], 500],
    ["is short again after an outcome", [{ type: "ack", ackId: 1, outcome: "done" }], 500],
  ] as const)("%s", (_title, frames, retryMs) => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { socket, named } = startClient();
    for (let failures = 0; failures < 5; failures++) {
      socket().welcomes();
      socket().ends();
      vi.advanceTimersToNextTimer();
    }
    socket().welcomes();
    socket().tells(...frames);
    socket().ends();
    expect(named("disconnected").at(-1)).toMatchObject(["disconnected", { retryMs }]);
  });

  test("ends when the machine is online again, which opens no second connection", () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const page = stubPage();
    const { client, sockets, socket } = startClient();
    const comeOnline = (): void => page.tell("online");
    comeOnline();
    expect(sockets.length).toBe(1);
    socket().ends();
    comeOnline();
    expect(sockets.length).toBe(2);
    socket().welcomes();
    vi.advanceTimersByTime(1000);
    expect(sockets.length).toBe(2);
    client.close();
    expect(page.listeners).toBe(0);
  });
});

describe("close()", () => {
  test("ends the connection with 1000, emits closed once, and leaves no timer", () => {
    const { client, sockets, socket, events } = startClient();
    socket().welcomes();
    client.close();
    client.close();
    socket().ends(1000);
    expect(socket().closed).toEqual([[1000, ""]]);
    expect(events.slice(1)).toEqual([["closed", { code: 1000, reason: "" }]]);
    vi.advanceTimersByTime(3_600_000);
    expect([sockets.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test("rejects the pending requests, in flight or not, and all later ones", async () => {
    const { client, socket } = startClient();
    socket().welcomes({ limits: { maxMessageBytes: 1000, maxUnackedSends: 1 } });
    const waits = [client.send("3", "a"), client.send("3", "b"), client.room("lobby").join(), client.watch("3")];
    client.close();
    waits.push(client.send("3", "c"), client.room("lobby").join());
    expect(await Promise.all(waits.map(stateOf))).toEqual(waits.map(() => "failed closed"));
  });

  test("between two connections ends the retries", () => {
    const { client, sockets, socket, named } = startClient();
    socket().welcomes();
    socket().ends();
    client.close();
    vi.advanceTimersByTime(3_600_000);
    expect([sockets.length, named("closed").length]).toEqual([1, 1]);
  });

  test("after the relay has closed the client emits nothing", () => {
    const { client, socket, named } = startClient();
    socket().welcomes();
    socket().ends(4500);
    client.close();
    expect(named("closed").length).toBe(1);
  });
});

describe("an AbortSignal of a client", () => {
  test("closes the client when it is aborted", async () => {
    const abort = new AbortController();
    const { client, socket, named } = startClient({ signal: abort.signal });
    socket().welcomes();
    const send = client.send("3", "hi");
    abort.abort();
    expect(socket().closed).toEqual([[1000, ""]]);
    expect(await stateOf(send)).toBe("failed closed");
    expect(named("closed").length).toBe(1);
  });

  test("has no listeners once the client is closed, by either side", () => {
    const { signal } = new AbortController();
    startClient({ signal }).client.close();
    const { socket } = startClient({ signal });
    expect(getEventListeners(signal, "abort").length).toBe(1);
    socket().welcomes();
    socket().ends(4500);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("that is aborted already prevents the connection", async () => {
    const page = stubPage();
    const token = vi.fn(() => "t");
    for (const options of [{}, { token: "t" }, { token }]) {
      const { client, sockets } = startClient({ ...options, signal: AbortSignal.abort() });
      expect(await stateOf(client.ready)).toBe("failed closed");
      expect(await stateOf(client.send("3", "hi"))).toBe("failed closed");
      vi.advanceTimersByTime(3_600_000);
      expect(sockets).toEqual([]);
    }
    expect([token.mock.calls, page.listeners]).toEqual([[], 0]);
  });
});
