import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Collects the iterator's messages until its end. */
async function collect(messages: AsyncIterable<{ data: unknown }>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { data } of messages) all.push(data);
  return all;
}

describe("an iterator over a client", () => {
  test("gives the messages in order, and ends after the last one that came before the client closed", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    const all = collect(client);
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
    expect(await stateOf(all)).toBe("pending");
    socket().delivers(4);
    client.close();
    expect(await stateOf(all)).toEqual([1, 2, 3, 4]);
  });

  test("ends when the relay closes for good, and not when the connection is lost for a while", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    const all = collect(client);
    socket().delivers(1);
    socket().ends(1006);
    vi.advanceTimersByTime(500);
    socket().welcomes({ resumed: true });
    socket().delivers(2);
    expect(await stateOf(all)).toBe("pending");
    socket().ends(4500);
    expect(await stateOf(all)).toEqual([1, 2]);
  });

  test("ends at once when the client is closed already", async () => {
    const { client } = startClient();
    client.close();
    expect(await stateOf(collect(client))).toEqual([]);
  });

  test("gives no message from before its first next, and every message to each iterator", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    socket().delivers(1);
    const two = [collect(client), collect(client)];
    socket().delivers(2);
    client.close();
    expect(await Promise.all(two.map(stateOf))).toEqual([[2], [2]]);
  });

  test("takes no more messages after a break", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    const first = (async () => {
      for await (const { data } of client) return data;
      return undefined;
    })();
    socket().delivers(1);
    socket().delivers(2);
    expect(await stateOf(first)).toBe(1);
    expect(() => socket().delivers(3)).not.toThrow();
  });

  test("over a room gives the messages of the room", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    const all = collect(client.room("lobby"));
    await undefined;
    socket().tells(
      { type: "message", from: "3", data: "to me", sequenceId: 1 },
      { type: "message", from: "3", room: "lobby", data: "to all", sequenceId: 2 },
      { type: "message", from: "3", room: "attic", data: "elsewhere", sequenceId: 3 },
    );
    client.close();
    expect(await stateOf(all)).toEqual(["to all"]);
  });
});

describe("messages that no iterator has given yet", () => {
  function startIterating() {
    const started = startClient();
    started.socket().welcomes();
    const acknowledged = (): number => {
      vi.advanceTimersByTime(200);
      return started.socket().all("sequenceAck").at(-1)?.sequenceId ?? -1;
    };
    return { ...started, acknowledged };
  }

  test("are not acknowledged, so that the relay keeps no more than a mailbox of them", async () => {
    const { client, socket, acknowledged } = startIterating();
    const messages = client[Symbol.asyncIterator]();
    const first = messages.next();
    for (let sequenceId = 1; sequenceId <= 100; sequenceId++) socket().delivers(sequenceId);
    expect((await first).value).toMatchObject({ data: 1 });
    expect(acknowledged()).toBe(1);
    for (let data = 2; data <= 100; data++) await expect(messages.next()).resolves.toMatchObject({ value: { data } });
    expect(acknowledged()).toBe(100);
  });

  test("are acknowledged 64 at a time when they are taken", async () => {
    const { client, socket } = startIterating();
    const messages = client[Symbol.asyncIterator]();
    void messages.next();
    for (let sequenceId = 1; sequenceId <= 200; sequenceId++) socket().delivers(sequenceId);
    for (let taken = 2; taken <= 200; taken++) await messages.next();
    expect(
      socket()
        .all("sequenceAck")
        .map(({ sequenceId }) => sequenceId),
    ).toEqual([0, 64, 128, 192]);
  });

  test("are acknowledged when the slower consumer has taken them: two iterators, or one and a listener", async () => {
    const { client, socket, acknowledged } = startIterating();
    const heard: unknown[] = [];
    client.on("message", ({ data }) => heard.push(data));
    const [fast, slow] = [client[Symbol.asyncIterator](), client[Symbol.asyncIterator]()];
    void fast.next();
    void slow.next();
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
    await fast.next();
    await fast.next();
    expect([heard, acknowledged()]).toEqual([[1, 2, 3], 1]);
    await slow.next();
    expect(acknowledged()).toBe(2);
  });

  test("are held back by an iterator of a room only when they are of that room", async () => {
    const { client, socket, acknowledged } = startIterating();
    const lobby = client.room("lobby")[Symbol.asyncIterator]();
    void lobby.next();
    for (const sequenceId of [1, 2, 3, 4]) {
      const room = sequenceId % 2 === 0 ? "lobby" : "attic";
      socket().tells({ type: "message", from: "3", room, data: sequenceId, sequenceId });
    }
    expect(acknowledged()).toBe(3);
    await lobby.next();
    expect(acknowledged()).toBe(4);
  });

  test("are dropped and acknowledged after a break", async () => {
    const { client, socket, acknowledged } = startIterating();
    const messages = client[Symbol.asyncIterator]();
    void messages.next();
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
    expect(acknowledged()).toBe(1);
    await messages.return?.();
    expect(acknowledged()).toBe(3);
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  test("are repeated by the relay after a resume, and given once", async () => {
    const { client, socket } = startIterating();
    const messages = client[Symbol.asyncIterator]();
    void messages.next();
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId);
    socket().ends();
    vi.advanceTimersByTime(500);
    socket().welcomes({ resumed: true });
    expect(socket().sent).toEqual([{ type: "sequenceAck", sequenceId: 1 }]);
    for (const sequenceId of [2, 3, 4]) socket().delivers(sequenceId);
    const rest = [await messages.next(), await messages.next(), await messages.next()];
    expect(rest.map(({ value }) => value?.data)).toEqual([2, 3, 4]);
  });

  test("hold back the acknowledgements of the next session too, whatever its numbers", async () => {
    const { client, socket, acknowledged } = startIterating();
    const messages = client[Symbol.asyncIterator]();
    void messages.next();
    for (const sequenceId of [1, 2, 3]) socket().delivers(sequenceId, `old ${sequenceId}`);
    socket().ends();
    vi.advanceTimersByTime(500);
    socket().welcomes({ resumed: false });
    for (const sequenceId of [1, 2]) socket().delivers(sequenceId, `new ${sequenceId}`);
    expect(acknowledged()).toBe(0);
    const rest = [];
    for (let taken = 0; taken < 4; taken++) rest.push((await messages.next()).value?.data);
    expect(rest).toEqual(["old 2", "old 3", "new 1", "new 2"]);
    expect(acknowledged()).toBe(2);
  });
});

describe("return() of an iterator", () => {
  test.each(["client", "room"])("of a %s settles at once, and so does each pending next()", async (of) => {
    const { client, socket } = startClient();
    socket().welcomes();
    const messages = (of === "client" ? client : client.room("lobby"))[Symbol.asyncIterator]();
    const waiting = [messages.next(), messages.next()];
    const done = { done: true, value: undefined };
    expect(await stateOf(messages.return?.() ?? Promise.reject())).toEqual(done);
    expect(await Promise.all(waiting.map(stateOf))).toEqual([done, done]);
    socket().tells({ type: "message", from: "3", room: "lobby", data: 1, sequenceId: 1 });
    expect(await stateOf(messages.next())).toEqual(done);
  });

  test("before the first next() ends the iterator", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    const messages = client[Symbol.asyncIterator]();
    await messages.return?.();
    const next = messages.next();
    socket().delivers(1);
    expect(await stateOf(next)).toEqual({ done: true, value: undefined });
  });
});

test("each pending next() gets a message of its own", async () => {
  const { client, socket } = startClient();
  socket().welcomes();
  const messages = client[Symbol.asyncIterator]();
  const waiting = [messages.next(), messages.next()];
  for (const sequenceId of [1, 2]) socket().delivers(sequenceId);
  expect((await Promise.all(waiting)).map(({ value }) => value?.data)).toEqual([1, 2]);
});
