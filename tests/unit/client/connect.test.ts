import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connect, RelayError } from "../../../src/client/index.ts";
import { FakeSocket, HEARTBEAT_MS, startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a client", () => {
  test.each([
    ["wss://relay.example.org/ws", "wss://relay.example.org/ws?refusal=close"],
    ["https://relay.example.org/ws", "wss://relay.example.org/ws?refusal=close"],
    ["http://localhost:8080/ws?key=1", "ws://localhost:8080/ws?key=1&refusal=close"],
  ])("for %s opens %s and offers the protocols that it speaks", (url, opened) => {
    const { socket } = startClient({}, url);
    expect(socket().url.href).toBe(opened);
    expect(socket().offers).toEqual(["relay.v1.json-bytes", "relay.v1.json"]);
  });

  test("accepts a URL object, and does not change it", () => {
    const url = new URL("https://relay.example.org/ws");
    connect(url, { WebSocket: FakeSocket });
    expect(url.href).toBe("https://relay.example.org/ws");
  });

  test("uses the global WebSocket, and throws where there is none", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => connect("wss://relay.example.org/ws")).toThrow(TypeError);
    const opened: string[] = [];
    vi.stubGlobal(
      "WebSocket",
      class extends FakeSocket {
        constructor(url: string, offers: string[]) {
          super(url, offers);
          opened.push(url);
        }
      },
    );
    connect("wss://relay.example.org/ws");
    expect(opened).toEqual(["wss://relay.example.org/ws?refusal=close"]);
  });

  test.each(["", "not a url", "//relay"])("refuses the URL %j", (url) => {
    expect(() => connect(url, { WebSocket: FakeSocket })).toThrow(TypeError);
  });

  test("is ready at its first welcome, and has its id from then on", async () => {
    const { client, socket, events } = startClient();
    expect([client.id, await stateOf(client.ready)]).toEqual(["", "pending"]);
    socket().welcomes({ id: "9" });
    expect([client.id, await stateOf(client.ready)]).toEqual(["9", undefined]);
    expect(events).toEqual([["connected", { id: "9", resumed: false, recovered: true }]]);
  });

  test("that closes before its first welcome is never ready", async () => {
    const { client, socket } = startClient();
    client.close();
    await expect(client.ready).rejects.toThrow(RelayError);
    expect(await stateOf(client.ready)).toBe("failed closed");
    expect(socket().closed).toEqual([[1000, ""]]);
  });

  test.each([
    [{ minDelayMs: Number.NaN }, "minDelayMs is NaN"],
    [{ maxDelayMs: -1 }, "maxDelayMs is -1"],
    [{ connectTimeoutMs: "soon" as never }, "connectTimeoutMs is soon"],
    [{ maxQueuedSends: -1 }, "maxQueuedSends is -1"],
    [{ maxQueuedBytes: Number.NaN }, "maxQueuedBytes is NaN"],
  ])("refuses %j", (options, message) => {
    expect(() => startClient(options)).toThrow(new RangeError(message));
    expect(() => startClient({ minDelayMs: undefined as never })).not.toThrow();
  });

  test("acknowledges at once after its welcome", () => {
    const { socket } = startClient();
    socket().welcomes();
    expect(socket().sent).toEqual([{ type: "sequenceAck", sequenceId: 0 }]);
  });

  test("answers each ping with a pong", () => {
    const { socket } = startClient();
    socket().welcomes();
    socket().tells({ type: "ping" }, { type: "ping" });
    expect(socket().all("pong").length).toBe(2);
  });

  test("sends nothing before its welcome, whatever the relay sends", () => {
    const { client, socket } = startClient();
    void client.send("3", "hi");
    socket().tells({ type: "ping" });
    expect(socket().sent).toEqual([]);
  });
});

describe("a connection on which the relay is silent", () => {
  test("is given up with 4001 after two and a half beats, not before; the client resumes with its token", () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { sockets, socket, named } = startClient();
    socket().welcomes({ resumeToken: "secret" });
    vi.advanceTimersByTime(2.5 * HEARTBEAT_MS - 1);
    expect(socket().closed).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(sockets[0]?.closed).toEqual([[4001, expect.any(String)]]);
    expect(named("disconnected")).toMatchObject([["disconnected", { code: 1006 }]]);
    vi.advanceTimersByTime(1);
    expect(sockets.length).toBe(2);
    expect(socket().url.searchParams.get("resume")).toBe("secret");
  });

  test.each(["ping", "message"])("has its time again from each %s on", (what) => {
    const { sockets, socket } = startClient();
    socket().welcomes();
    for (let times = 1; times <= 10; times++) {
      vi.advanceTimersByTime(2.4 * HEARTBEAT_MS);
      if (what === "ping") socket().tells({ type: "ping" });
      else socket().delivers(times);
    }
    expect([sockets.length, socket().closed]).toEqual([1, []]);
  });

  test("has no more time for frames that the client itself sends", () => {
    const { client, sockets, socket } = startClient();
    socket().welcomes();
    for (let times = 0; times < 25; times++) {
      void client.send("3", "hi").catch(() => {});
      vi.advanceTimersByTime(0.1 * HEARTBEAT_MS);
    }
    expect(sockets[0]?.closed.map(([code]) => code)).toEqual([4001]);
  });

  test("is given up after connectTimeoutMs without a welcome; the default is 10 s", () => {
    for (const [options, timeoutMs] of [
      [{}, 10_000],
      [{ connectTimeoutMs: 700 }, 700],
    ] as const) {
      const { sockets } = startClient(options);
      vi.advanceTimersByTime(timeoutMs - 1);
      expect(sockets[0]?.closed).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(sockets[0]?.closed.map(([code]) => code)).toEqual([4001]);
    }
  });

  test("reports no frame that comes after it was given up", () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    const { client, sockets, socket, events } = startClient();
    const heard: unknown[] = [];
    client.on("message", ({ data }) => heard.push(data));
    socket().welcomes();
    vi.advanceTimersByTime(2.5 * HEARTBEAT_MS);
    const { length } = events;
    sockets[0]?.delivers(1);
    sockets[0]?.ends(1000);
    expect([heard, events.length]).toEqual([[], length]);
  });
});

describe("a server that is no relay", () => {
  test.each(["nonsense", "", "null", "7", '"text"', "[]", "{}"])(
    "and says %j throws nothing at the socket",
    (words) => {
      const { socket, sockets } = startClient();
      expect(() => socket().hears(words)).not.toThrow();
      expect(sockets.length).toBe(1);
    },
  );

  test("is left with 4001 and tried again: it sends no JSON", () => {
    const { sockets, socket } = startClient();
    socket().hears("Welcome to the chat!");
    expect(socket().closed.map(([code]) => code)).toEqual([4001]);
    vi.advanceTimersByTime(500);
    expect(sockets.length).toBe(2);
  });

  test("is left with 4001 and tried again: it answers another subprotocol", async () => {
    const { client, sockets, socket } = startClient();
    socket().protocol = "";
    socket().welcomes();
    expect(sockets[0]?.closed.map(([code]) => code)).toEqual([4001]);
    expect(await stateOf(client.ready)).toBe("pending");
  });
});
