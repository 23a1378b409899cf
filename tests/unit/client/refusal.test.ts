import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a client that the relay refuses", () => {
  test.each([
    [4501, "unauthorized"],
    [4503, "forbidden"],
    [4503, "bad_id"],
    [4503, "forbidden_origin"],
    [4504, "not_found"],
  ])("for good with %i %s closes, is never ready, and reports the refusal", async (code, refusal) => {
    const { client, sockets, socket, events } = startClient();
    const send = client.send("3", "hi");
    const reason = `${refusal}: Cannot connect`;
    socket().ends(code, reason);
    expect(events).toEqual([["closed", { code, reason, refusal }]]);
    expect([await stateOf(client.ready), await stateOf(send)]).toEqual([`failed ${refusal}`, `failed ${refusal}`]);
    await expect(client.ready).rejects.toMatchObject({ name: "RelayError", temporary: false });
    await expect(client.ready).rejects.toThrow(reason);
    vi.advanceTimersByTime(3_600_000);
    expect([sockets.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test.each([
    [1013, "full"],
    [1013, "too_many_attempts"],
    [1001, "shutting_down"],
    [1012, "shutting_down"],
    [1011, "internal"],
  ])("for now with %i %s tries again, with growing delays", async (code, refusal) => {
    const { client, socket, named } = startClient();
    const reason = `${refusal}: Cannot connect`;
    for (let times = 0; times < 3; times++) {
      socket().ends(code, reason);
      vi.advanceTimersToNextTimer();
    }
    expect(named("disconnected").map(([, event]) => event)).toEqual(
      [250, 500, 1000].map((retryMs) => ({ code, reason, refusal, retryMs })),
    );
    expect(await stateOf(client.ready)).toBe("pending");
    socket().welcomes();
    expect(await stateOf(client.ready)).toBeUndefined();
  });

  test("reports no refusal when a welcomed connection ends, or when a connection ends without a reason", () => {
    const { socket, named } = startClient();
    socket().ends(1006);
    vi.advanceTimersToNextTimer();
    socket().welcomes();
    socket().ends(1011, "odd: reason");
    expect(named("disconnected").map(([, event]) => event)).toMatchObject([
      { refusal: undefined },
      { refusal: undefined },
    ]);
  });
});

describe("a token that has expired", () => {
  const EXPIRED = [4002, "unauthorized: Cannot connect: the token has expired"] as const;

  test.each(["before", "after"])("closes the client where it is a string, %s the welcome", async (when) => {
    const { client, sockets, socket, named } = startClient({ token: "t" });
    if (when === "after") socket().welcomes();
    socket().ends(...EXPIRED);
    expect(named("closed")).toMatchObject([["closed", { code: 4002 }]]);
    expect(await stateOf(client.ready)).toBe(when === "after" ? undefined : "failed unauthorized");
    vi.advanceTimersByTime(3_600_000);
    expect(sockets.length).toBe(1);
  });

  test.each(["before", "after"])("is replaced where it comes from a function, %s the welcome", async (when) => {
    let issued = 0;
    const { sockets, socket } = startClient({ token: () => `token-${++issued}` });
    await vi.advanceTimersByTimeAsync(0);
    if (when === "after") socket().welcomes();
    socket().ends(...EXPIRED);
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets.map(({ offers }) => offers[2])).toEqual(["bearer.token-1", "bearer.token-2"]);
  });
});
