import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function startWelcomed() {
  const started = startClient();
  started.socket().welcomes();
  const reconnect = (resumed: boolean): void => {
    started.socket().ends();
    vi.advanceTimersByTime(0);
    started.socket().welcomes({ resumed, resumeToken: "token-2" });
  };
  return { ...started, reconnect };
}

describe("a room", () => {
  test("can be joined, listed, published in and left, each with an outcome", async () => {
    const { client, socket } = startWelcomed();
    const lobby = client.room("lobby");
    const joined = lobby.join();
    expect(await stateOf(joined)).toBe("pending");
    const members = lobby.members();
    const published = [lobby.publish({ a: 1 }), lobby.publish(new Uint8Array([255]), { echo: true })];
    const left = lobby.leave();
    expect(socket().sent.slice(1)).toEqual([
      { type: "join", room: "lobby", ackId: 1 },
      { type: "members", room: "lobby", ackId: 2 },
      { type: "publish", room: "lobby", data: { a: 1 }, echo: false, ackId: 3 },
      { type: "publish", room: "lobby", data: "/w==", encoding: "base64", echo: true, ackId: 4 },
      { type: "leave", room: "lobby", ackId: 5 },
    ]);
    socket().acks(1, "done");
    socket().tells(
      { type: "ack", ackId: 2, outcome: "done", members: ["3", "7"] },
      { type: "ack", ackId: 3, outcome: "delivered", recipients: 12 },
      { type: "ack", ackId: 4, outcome: "delivered", recipients: 0 },
    );
    socket().acks(5, "done");
    expect(await Promise.all([joined, members, ...published, left].map(stateOf))).toEqual([
      undefined,
      ["3", "7"],
      12,
      0,
      undefined,
    ]);
  });

  test("that the client is not in can be left: the answer to an earlier leave may have been lost", async () => {
    const { client, socket } = startWelcomed();
    const left = client.room("lobby").leave();
    const error = { code: "not_in_room", message: "Cannot use room", temporary: false } as const;
    socket().tells({ type: "ack", ackId: 1, outcome: "failed", error });
    expect(await stateOf(left)).toBeUndefined();
  });

  test("reports why the relay refuses a request", async () => {
    const { client, socket } = startWelcomed();
    const joined = client.room("a b").join();
    socket().tells({
      type: "ack",
      ackId: 1,
      outcome: "failed",
      error: { code: "bad_id", message: "Cannot use", temporary: false },
    });
    expect(await stateOf(joined)).toBe("failed bad_id");
  });

  test("emits only its own messages and its own presence, until the listener is removed", () => {
    const { client, socket } = startWelcomed();
    const heard: unknown[] = [];
    const lobby = client.room("lobby");
    const off = [
      lobby.on("message", ({ data }) => heard.push(data)),
      lobby.on("presence", ({ id, event }) => heard.push(`${id} ${event}`)),
    ];
    const say = (sequenceId: number): void =>
      socket().tells(
        { type: "message", from: "3", room: "lobby", data: sequenceId, sequenceId },
        { type: "message", from: "3", room: "attic", data: "elsewhere", sequenceId: sequenceId + 1 },
        { type: "message", from: "3", data: "to me", sequenceId: sequenceId + 2 },
        { type: "presence", id: "3", room: "lobby", event: "joined" },
        { type: "presence", id: "3", event: "online" },
      );
    say(1);
    for (const stop of off) stop();
    say(4);
    expect(heard).toEqual([1, "3 joined"]);
  });
});

describe("in a session that could not be resumed", () => {
  test("the client joins its rooms and watches its ids again, before pending sends", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const asked = [client.room("lobby").join(), client.room("attic").join(), client.watch("3")];
    for (const ackId of [1, 2, 3]) socket().acks(ackId, "done");
    await Promise.all(asked);
    socket().ends();
    client
      .room("lobby")
      .publish("hi")
      .catch(() => {});
    vi.advanceTimersByTime(0);
    socket().welcomes({ resumed: false });
    expect(socket().sent.slice(1)).toMatchObject([
      { type: "join", room: "lobby" },
      { type: "join", room: "attic" },
      { type: "watch", id: "3" },
      { type: "publish", room: "lobby" },
    ]);
    reconnect(false);
    expect(socket().sent.slice(1, 4)).toMatchObject([{ type: "join" }, { type: "join" }, { type: "watch" }]);
  });

  test("the client does not repeat what it left, unwatched, or was refused", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const asked = [client.room("lobby").join(), client.watch("3")];
    for (const ackId of [1, 2]) socket().acks(ackId, "done");
    await Promise.all(asked);
    const ended = [client.room("lobby").leave(), client.unwatch("3"), client.room("secret").join()];
    for (const ackId of [3, 4]) socket().acks(ackId, "done");
    socket().tells({
      type: "ack",
      ackId: 5,
      outcome: "failed",
      error: { code: "forbidden", message: "Cannot use", temporary: false },
    });
    expect(await Promise.all(ended.map(stateOf))).toEqual([undefined, undefined, "failed forbidden"]);
    reconnect(false);
    expect(socket().sent.map(({ type }) => type)).toEqual(["sequenceAck"]);
  });

  test("a room that the relay took the client out of is not joined again", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const asked = [client.room("lobby").join(), client.room("attic").join()];
    for (const ackId of [1, 2]) socket().acks(ackId, "done");
    await Promise.all(asked);
    socket().tells(
      { type: "presence", id: "7", room: "lobby", event: "left" },
      { type: "presence", id: "3", room: "attic", event: "left" },
    );
    reconnect(false);
    expect(socket().sent.filter(({ type }) => type === "join")).toMatchObject([{ room: "attic" }]);
  });
});

describe("of several calls without an outcome the latest counts", () => {
  const forbidden = { code: "forbidden", message: "Cannot use", temporary: false } as const;
  const limited = { code: "rate_limited", message: "Cannot send", temporary: true } as const;

  test.each([
    ["joined and left", ["join", "leave"], []],
    ["left and joined", ["leave", "join"], ["join"]],
    ["joined, left and joined", ["join", "leave", "join"], ["join"]],
  ] as const)("a room that was %s, all with their outcomes", async (_title, calls, again) => {
    const { client, socket, reconnect } = startWelcomed();
    const room = client.room("lobby");
    const outcomes = calls.map((call) => room[call]());
    for (let ackId = 1; ackId <= calls.length; ackId++) socket().acks(ackId, "done");
    await Promise.all(outcomes);
    reconnect(false);
    expect(socket().sent.slice(1)).toEqual(again.map((type) => ({ type, room: "lobby" })));
  });

  test("of watch and unwatch", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const outcomes = [client.watch("3"), client.unwatch("3"), client.unwatch("4"), client.watch("4")];
    for (const ackId of [1, 2, 3, 4]) socket().acks(ackId, "done");
    await Promise.all(outcomes);
    reconnect(false);
    expect(socket().sent.slice(1)).toEqual([{ type: "watch", id: "4" }]);
  });

  test("also when their outcomes were lost with the session: they are repeated in order", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const room = client.room("lobby");
    const outcomes = [room.join(), room.leave(), client.watch("3"), room.members()];
    reconnect(false);
    expect(socket().asked).toEqual(["join#1", "leave#2", "watch#3", "members#4"]);
    for (const ackId of [1, 2, 3]) socket().acks(ackId, "done");
    socket().tells({ type: "ack", ackId: 4, outcome: "done", members: ["3"] });
    expect(await Promise.all(outcomes.map(stateOf))).toEqual([undefined, undefined, undefined, ["3"]]);
    reconnect(false);
    expect(socket().sent.slice(1)).toEqual([{ type: "watch", id: "3" }]);
  });

  test("a room that is being left is not joined again", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const room = client.room("lobby");
    const joined = room.join();
    socket().acks(1, "done");
    await joined;
    const left = room.leave();
    reconnect(false);
    expect(socket().asked).toEqual(["leave#2"]);
    expect(socket().all("join")).toEqual([]);
    const error = { code: "not_in_room", message: "Cannot use", temporary: false } as const;
    socket().tells({ type: "ack", ackId: 2, outcome: "failed", error });
    expect(await stateOf(left)).toBeUndefined();
    reconnect(false);
    expect(socket().sent.length).toBe(1);
  });

  test("a refusal changes nothing: the client joins a room again that it could not leave, and no other", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const [lobby, secret] = [client.room("lobby"), client.room("secret")];
    const joined = lobby.join();
    socket().acks(1, "done");
    await joined;
    const outcomes = [joined, lobby.leave(), secret.join(), secret.join()];
    socket().tells(
      { type: "ack", ackId: 2, outcome: "failed", error: limited },
      { type: "ack", ackId: 3, outcome: "failed", error: forbidden },
      { type: "ack", ackId: 4, outcome: "failed", error: forbidden },
    );
    expect(await Promise.all(outcomes.map(stateOf))).toEqual([
      undefined,
      "failed rate_limited",
      "failed forbidden",
      "failed forbidden",
    ]);
    reconnect(false);
    expect(socket().sent.slice(1)).toEqual([{ type: "join", room: "lobby" }]);
  });
});

test("a session that was resumed keeps its rooms: nothing is joined again", async () => {
  const { client, socket, reconnect } = startWelcomed();
  const joined = client.room("lobby").join();
  socket().acks(1, "done");
  await joined;
  reconnect(true);
  expect(socket().sent.map(({ type }) => type)).toEqual(["sequenceAck"]);
});

test("a watched id is reported as presence, without a room", async () => {
  const { client, socket } = startWelcomed();
  const heard: unknown[] = [];
  client.on("presence", ({ id, room, event }) => heard.push({ id, room, event }));
  const watched = client.watch("3");
  socket().acks(1, "done");
  socket().tells({ type: "presence", id: "3", event: "offline" });
  await watched;
  expect(socket().all("watch")).toEqual([{ type: "watch", id: "3", ackId: 1 }]);
  expect(heard).toEqual([{ id: "3", room: undefined, event: "offline" }]);
});
