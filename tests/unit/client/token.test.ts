import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a client with a token", () => {
  test("offers the token as a subprotocol, after those that it speaks", () => {
    const { socket } = startClient({ token: "a.b.c" });
    expect(socket().offers).toEqual(["relay.v1.json-bytes", "relay.v1.json", "bearer.a.b.c"]);
  });

  test("asks for a new token at each attempt, so that an expired one is replaced", async () => {
    let issued = 0;
    const { socket, sockets } = startClient({ token: async () => `token-${++issued}` });
    await vi.advanceTimersByTimeAsync(0);
    socket().welcomes();
    socket().ends(4002);
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets.map(({ offers }) => offers[2])).toEqual(["bearer.token-1", "bearer.token-2"]);
  });

  test("tries again later when the token function fails", async () => {
    const token = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error("offline")).mockResolvedValue("t");
    const { sockets, named } = startClient({ token });
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toEqual([]);
    expect(named("disconnected")).toEqual([
      ["disconnected", { code: 1006, reason: "There is no token: Error: offline", retryMs: 250 }],
    ]);
    await vi.advanceTimersByTimeAsync(250);
    expect(sockets.length).toBe(1);
  });

  test.each(["", "a b", "a,b", "a=", "a/b", "é", "a\n", 'a"b'])(
    "throws at once where no header could carry it: %j",
    (token) => {
      expect(() => startClient({ token })).toThrow(TypeError);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  test.each([
    ["with a character that a header cannot have", "a b"],
    ["undefined", undefined],
  ])("from a function, %s, fails the attempt", async (_title, bad) => {
    // An app in JavaScript may return any value.
    const token = vi
      .fn<() => string>()
      .mockReturnValueOnce(bad as string)
      .mockReturnValue("t");
    const { sockets, socket, named } = startClient({ token });
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toEqual([]);
    expect(named("disconnected")).toMatchObject([["disconnected", { code: 1006, retryMs: 250 }]]);
    await vi.advanceTimersByTimeAsync(250);
    expect(socket().offers).toEqual(["relay.v1.json-bytes", "relay.v1.json", "bearer.t"]);
  });

  test("fails the attempt after connectTimeoutMs when no token comes; a late token is not used", async () => {
    const gives: ((token: string) => void)[] = [];
    const token = (): Promise<string> => new Promise((resolve) => gives.push(resolve));
    const { sockets, named } = startClient({ token, connectTimeoutMs: 1000 });
    await vi.advanceTimersByTimeAsync(999);
    expect(named("disconnected")).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const reason = "There is no token yet";
    expect(named("disconnected")).toMatchObject([["disconnected", { code: 1006, reason, retryMs: 250 }]]);
    gives[0]?.("late");
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toEqual([]);
    await vi.advanceTimersByTimeAsync(250);
    gives[1]?.("in-time");
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets.map(({ offers }) => offers[2])).toEqual(["bearer.in-time"]);
  });

  test("opens no socket when it is closed before the token comes, and asks once at a time", async () => {
    let give = (_token: string): void => {};
    const token = vi.fn(
      () =>
        new Promise<string>((resolve) => {
          give = resolve;
        }),
    );
    const { client, sockets } = startClient({ token });
    globalThis.dispatchEvent?.(new Event("online"));
    expect(token).toHaveBeenCalledTimes(1);
    client.close();
    give("late");
    await vi.advanceTimersByTimeAsync(1000);
    expect(sockets).toEqual([]);
  });
});
