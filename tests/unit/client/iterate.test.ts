import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Takes everything that there is to take, until the end. */
async function collect(messages: AsyncIterable<{ data: unknown }>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { data } of messages) all.push(data);
  return all;
}

describe("iterating over a client", () => {
  test("gives its messages in order, and ends when it closes, with what had come by then", async () => {
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

  test("ends at once where the client is closed already", async () => {
    const { client } = startClient();
    client.close();
    expect(await stateOf(collect(client))).toEqual([]);
  });

  test("gives nothing of before, and everything to each who iterates", async () => {
    const { client, socket } = startClient();
    socket().welcomes();
    socket().delivers(1);
    const two = [collect(client), collect(client)];
    socket().delivers(2);
    client.close();
    expect(await Promise.all(two.map(stateOf))).toEqual([[2], [2]]);
  });

  test("can be left, and then takes no more", async () => {
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

  test("over a room gives what is published there", async () => {
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
