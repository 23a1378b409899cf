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

/** A welcomed client, and what its listener has heard. */
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
  test("comes with its sender, its room and its data; bytes as bytes", () => {
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

  test("that is sent again after a resume is dropped, by its number", () => {
    const { socket, heard, reconnect } = startListening();
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
    reconnect(true);
    for (const sequenceId of [2, 3, 4]) socket().delivers(sequenceId);
    expect(heard).toEqual([1, 2, 3, 4]);
  });

  test("of a new session is none that had come before, whatever its number", () => {
    const { socket, heard, reconnect } = startListening();
    for (const sequenceId of [1, 2]) socket().delivers(sequenceId, `old ${sequenceId}`);
    reconnect(false);
    socket().delivers(1, "new 1");
    expect(heard).toEqual(["old 1", "old 2", "new 1"]);
  });

  test("is heard by every listener until it is taken off, and by none twice", () => {
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
  test("goes 200 ms after a message, one for all that came by then", () => {
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

  test("goes at once after 64 messages, and then not again for them", () => {
    const { socket, acknowledged } = startListening();
    for (let sequenceId = 1; sequenceId < ACK_EVERY; sequenceId++) socket().delivers(sequenceId);
    expect(acknowledged()).toEqual([0]);
    socket().delivers(ACK_EVERY);
    expect(acknowledged()).toEqual([0, ACK_EVERY]);
    vi.advanceTimersByTime(ACK_DELAY_MS);
    expect(acknowledged()).toEqual([0, ACK_EVERY]);
  });

  test("goes at once with the welcome of a resume, of the latest that came, and of none in a new session", () => {
    for (const resumed of [true, false]) {
      const { socket, acknowledged, reconnect } = startListening();
      for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
      reconnect(resumed);
      expect(acknowledged()).toEqual([resumed ? 3 : 0]);
    }
  });

  test("comes before what waited to be sent", () => {
    const { client, socket } = startClient();
    void client.send("3", "hi");
    socket().welcomes();
    expect(socket().sent.map(({ type }) => type)).toEqual(["sequenceAck", "send"]);
  });

  test("never goes for a message before its listeners have had it", () => {
    const { client, socket, acknowledged } = startListening();
    const before: number[][] = [];
    client.on("message", () => before.push(acknowledged()));
    for (let sequenceId = 1; sequenceId <= ACK_EVERY; sequenceId++) socket().delivers(sequenceId);
    expect(before.at(-1)).toEqual([0]);
  });

  test("leaves no timer behind in a client that is closed, by a listener or otherwise", () => {
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
  test("that adds itself, or another, while it hears a message hears the next one, not that one again", () => {
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

  test("that is taken off by an earlier one hears nothing of the same message", () => {
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
  test("keeps no other from hearing and the client from going on; its error is reported as uncaught", () => {
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

test("what the relay refuses and nobody waits for is an error event", () => {
  const { client, socket } = startListening();
  const errors: unknown[] = [];
  client.on("error", ({ name, code, message, temporary }) => errors.push({ name, code, message, temporary }));
  socket().tells({ type: "error", error: { code: "internal", message: "Cannot send", temporary: true } });
  expect(errors).toEqual([{ name: "RelayError", code: "internal", message: "Cannot send", temporary: true }]);
});
