import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient } from "./fakes.ts";

const ACK_DELAY_MS = 200;
const ACK_EVERY = 64;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Starts a welcomed client, and collects the messages that its listener got. */
function startListening() {
  const started = startClient();
  const heard: unknown[] = [];
  started.client.on("message", ({ data }) => heard.push(data));
  started.socket().welcomes();
  const acknowledged = (): number[] =>
    started
      .socket()
      .all("sequenceAck")
      .map(({ sequenceId }) => sequenceId);
  const reconnect = (resumed: boolean): void => {
    started.socket().ends();
    vi.advanceTimersByTime(500);
    started.socket().welcomes({ resumed, resumeToken: "token-2" });
  };
  return { ...started, heard, acknowledged, reconnect };
}

describe("a message", () => {
  test("has its sender, its room and its data; bytes arrive as bytes", () => {
    const { client, socket } = startListening();
    const messages: unknown[] = [];
    client.on("message", (message) => messages.push(message));
    socket().tells(
      { type: "message", from: "3", data: { a: 1 }, sequenceId: 1 },
      { type: "message", from: "3", room: "lobby", data: "AP8=", encoding: "base64", sequenceId: 2 },
      { type: "message", from: "4", data: "AP8=", sequenceId: 3 },
    );
    expect(messages).toEqual([
      { from: "3", room: undefined, data: { a: 1 } },
      { from: "3", room: "lobby", data: new Uint8Array([0, 255]) },
      { from: "4", room: undefined, data: "AP8=" },
    ]);
  });

  test("that the relay repeats after a resume is dropped, by its number", () => {
    const { socket, heard, reconnect } = startListening();
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
    reconnect(true);
    for (const sequenceId of [2, 3, 4]) socket().delivers(sequenceId);
    expect(heard).toEqual([1, 2, 3, 4]);
  });

  test("of a new session is delivered, whatever its number", () => {
    const { socket, heard, reconnect } = startListening();
    for (const sequenceId of [1, 2]) socket().delivers(sequenceId, `old ${sequenceId}`);
    reconnect(false);
    socket().delivers(1, "new 1");
    expect(heard).toEqual(["old 1", "old 2", "new 1"]);
  });

  test("reaches every listener once, until the listener is removed", () => {
    const { client, socket, heard } = startListening();
    const others: unknown[] = [];
    const off = client.on("message", ({ data }) => others.push(data));
    socket().delivers(1);
    off();
    off();
    socket().delivers(2);
    expect([heard, others]).toEqual([[1, 2], [1]]);
  });
});

describe("an acknowledgement", () => {
  test("is sent 200 ms after a message, for all messages that came by then", () => {
    const { socket, acknowledged } = startListening();
    socket().delivers(1);
    vi.advanceTimersByTime(ACK_DELAY_MS - 1);
    socket().delivers(2);
    expect(acknowledged()).toEqual([0]);
    vi.advanceTimersByTime(1);
    expect(acknowledged()).toEqual([0, 2]);
    vi.advanceTimersByTime(10 * ACK_DELAY_MS);
    expect(acknowledged()).toEqual([0, 2]);
    socket().delivers(3);
    vi.advanceTimersByTime(ACK_DELAY_MS);
    expect(acknowledged()).toEqual([0, 2, 3]);
  });

  test("is sent at once after 64 messages, and not again for them", () => {
    const { socket, acknowledged } = startListening();
    for (let sequenceId = 1; sequenceId < ACK_EVERY; sequenceId++) socket().delivers(sequenceId);
    expect(acknowledged()).toEqual([0]);
    socket().delivers(ACK_EVERY);
    expect(acknowledged()).toEqual([0, ACK_EVERY]);
    vi.advanceTimersByTime(ACK_DELAY_MS);
    expect(acknowledged()).toEqual([0, ACK_EVERY]);
  });

  test("goes at once after messages of 64 KiB, so that a sender of large ones is not refused for it", () => {
    const { socket, acknowledged } = startListening();
    socket().delivers(1, "x".repeat(40_000));
    expect(acknowledged()).toEqual([0]);
    socket().delivers(2, "x".repeat(40_000));
    expect(acknowledged()).toEqual([0, 2]);
    socket().delivers(3);
    expect(acknowledged()).toEqual([0, 2]);
    socket().delivers(4, { text: "x".repeat(70_000) });
    expect(acknowledged()).toEqual([0, 2, 4]);
  });

  test("is sent at once after a resume, for the latest message; in a new session for none", () => {
    for (const resumed of [true, false]) {
      const { socket, acknowledged, reconnect } = startListening();
      for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
      reconnect(resumed);
      expect(acknowledged()).toEqual([resumed ? 3 : 0]);
    }
  });

  test("is sent before pending sends", () => {
    const { client, socket } = startClient();
    void client.send("3", "hi");
    socket().welcomes();
    expect(socket().sent.map(({ type }) => type)).toEqual(["sequenceAck", "send"]);
  });

  test("is never sent for a message before its listeners have run", () => {
    const { client, socket, acknowledged } = startListening();
    const before: number[][] = [];
    client.on("message", () => before.push(acknowledged()));
    for (let sequenceId = 1; sequenceId <= ACK_EVERY; sequenceId++) socket().delivers(sequenceId);
    expect(before.at(-1)).toEqual([0]);
  });

  test("leaves no timer in a closed client, also when a listener closed the client", () => {
    for (const closeInListener of [false, true]) {
      const { client, socket } = startListening();
      if (closeInListener) client.on("message", () => client.close());
      socket().delivers(1);
      client.close();
      expect(vi.getTimerCount()).toBe(0);
    }
  });
});

describe("a listener", () => {
  test("that is added while a message is emitted runs from the next message on", () => {
    const { client, socket } = startListening();
    const heard: unknown[] = [];
    const listen = (): void => {
      client.on("message", ({ data }) => {
        heard.push(data);
        listen();
      });
    };
    listen();
    socket().delivers(1);
    expect(heard).toEqual([1]);
    socket().delivers(2);
    expect(heard).toEqual([1, 2, 2]);
  });

  test("that an earlier listener removes does not get the same message", () => {
    const { client, socket } = startListening();
    const heard: unknown[] = [];
    client.on("message", () => off());
    const off = client.on("message", ({ data }) => heard.push(data));
    client.on("message", ({ data }) => heard.push(`last ${data}`));
    socket().delivers(1);
    expect(heard).toEqual(["last 1"]);
  });
});

describe("a listener that throws", () => {
  test("stops neither the other listeners nor the client; its error is reported as uncaught", () => {
    const uncaught: (() => void)[] = [];
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((report) => uncaught.push(report));
    const { client, socket } = startClient();
    const heard: unknown[] = [];
    const defect = new Error("a defect");
    client.on("message", () => {
      throw defect;
    });
    client.on("message", ({ data }) => heard.push(data));
    socket().welcomes();
    for (const sequenceId of [1, 2]) socket().delivers(sequenceId);
    expect(heard).toEqual([1, 2]);
    expect(uncaught.length).toBe(2);
    expect(() => uncaught[0]?.()).toThrow(defect);
    vi.advanceTimersByTime(ACK_DELAY_MS);
    expect(socket().all("sequenceAck").at(-1)).toEqual({ type: "sequenceAck", sequenceId: 2 });
  });
});

test("an error of the relay that belongs to no request is an error event", () => {
  const { client, socket } = startListening();
  const errors: unknown[] = [];
  client.on("error", ({ name, code, message, temporary }) => errors.push({ name, code, message, temporary }));
  socket().tells({ type: "error", error: { code: "internal", message: "Cannot send", temporary: true } });
  expect(errors).toEqual([{ name: "RelayError", code: "internal", message: "Cannot send", temporary: true }]);
});
