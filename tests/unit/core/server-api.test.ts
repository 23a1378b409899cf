import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Message } from "../../../src/core/protocol/message.ts";
import { plainFrom } from "../../../src/core/protocol/plain.ts";
import { text } from "../../../src/core/protocol/text.ts";
import { passBeats } from "../fakes.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const BAD_ID = { outcome: "failed", error: { code: "bad_id", temporary: false } };
const NO_SUCH_ID = { outcome: "failed", error: { code: "no_such_id", temporary: false } };

describe("a message of the server", () => {
  test("shows in each protocol that it comes from the server", async () => {
    const { relay, turn, connect, connectJson } = startJsonRelay();
    const [one, two, three, four] = [
      connect(),
      connect({ protocol: plainFrom }),
      connect({ protocol: text }),
      connectJson(),
    ];
    for (const id of ["1", "2", "3", "4"]) expect(await relay.send(id, "hi")).toEqual({ outcome: "delivered" });
    turn.end();
    expect(one.heard).toEqual(["hi"]);
    expect(two.heard).toEqual([":server hi"]);
    expect(three.heard).toEqual([":welcome 3", ":server hi"]);
    expect(four.all("message")).toEqual([{ type: "message", data: "hi", sequenceId: 1 }]);
  });

  test("in a room reaches the members, and not those that are excepted", async () => {
    const { relay, turn, connect, connectJson } = startJsonRelay();
    const [one, two, three] = [connect({ protocol: text }), connectJson(), connectJson()];
    one.says(":join lobby");
    for (const client of [two, three]) client.asks({ type: "join", room: "lobby" });
    expect(await relay.publish("lobby", { a: 1 }, { except: "3" })).toEqual({ outcome: "delivered", recipients: 2 });
    expect(await relay.publish("lobby", "all", { except: ["1", "2"] })).toEqual({
      outcome: "delivered",
      recipients: 1,
    });
    expect(await relay.publish("attic", "nobody")).toEqual({ outcome: "delivered", recipients: 0 });
    turn.end();
    expect(one.heard.at(-1)).toBe(':server#lobby {"a":1}');
    expect(two.all("message")).toEqual([{ type: "message", room: "lobby", data: { a: 1 }, sequenceId: 1 }]);
    expect(three.all("message")).toEqual([{ type: "message", room: "lobby", data: "all", sequenceId: 1 }]);
  });

  test("is copied at once: bytes that the app changes afterwards arrive as they were", async () => {
    const { relay, turn, connect } = startJsonRelay();
    const one = connect();
    const bytes = new Uint8Array([1, 2, 3]);
    const sending = relay.send("1", bytes);
    bytes.fill(0);
    await sending;
    turn.end();
    expect(one.connection.frames[0]?.payload).toEqual(new Uint8Array([1, 2, 3]));
  });

  test("to a session that is away is queued, and arrives after the resume", async () => {
    const { relay, connectJson, resume } = startJsonRelay();
    const one = connectJson();
    one.vanishes();
    expect(await relay.send("1", "later")).toEqual({ outcome: "queued" });
    expect(resume(one).data).toEqual(["later"]);
  });

  test("fails with the error of a client's send, as a value", async () => {
    const { relay, connect } = startJsonRelay({ limits: { maxMessageBytes: 10 } });
    connect();
    expect(await relay.send("9", "hi")).toMatchObject(NO_SUCH_ID);
    expect(await relay.send("a b", "hi")).toMatchObject(BAD_ID);
    expect(await relay.publish("a b", "hi")).toMatchObject(BAD_ID);
    const error = { code: "too_large", temporary: false };
    for (const data of ["12345678901", "ääääää", new Uint8Array(11), [1234567890]]) {
      expect(await relay.send("1", data)).toMatchObject({ outcome: "failed", error });
      expect(await relay.publish("lobby", data)).toMatchObject({ outcome: "failed", error });
    }
    expect(await relay.send("1", "1234567890")).toEqual({ outcome: "delivered" });
  });

  test.each([
    [undefined],
    [Number.NaN],
    [() => 1],
    [{ a: [undefined] }],
    [new Map()],
    [1n],
    [{ bytes: new Uint8Array(1) }],
    [JSON.parse(`${"[".repeat(128)}${"]".repeat(128)}`)],
  ])("of %s is a mistake of the program", async (data) => {
    const { relay, connect } = startJsonRelay();
    const one = connect();
    await expect(relay.send("1", data)).rejects.toThrow(TypeError);
    await expect(relay.publish("lobby", data)).rejects.toThrow(TypeError);
    expect(one.heard).toEqual([]);
  });

  test("takes effect after the hook that sends it, in the order of the calls", async () => {
    const { relay, turn, connect } = startJsonRelay({
      hooks: {
        onMessage: () => {
          for (const word of ["first", "second"]) relay.send("1", word);
          return true;
        },
      },
    });
    const one = connect();
    one.says("1:mine");
    await relay.send("1", "third");
    turn.end();
    expect(one.heard).toEqual(["mine", "first", "second", "third"]);
  });
});

test("Message.of keeps a text as it is, JSON as JSON, and a Date as its text", () => {
  expect(Message.of("a\u0000b")).toMatchObject({ kind: "text", payload: "a\u0000b" });
  expect(Message.of({ a: undefined, b: [1, null, true] })).toMatchObject({
    kind: "json",
    payload: '{"b":[1,null,true]}',
  });
  expect(Message.of(null)).toMatchObject({ kind: "json", payload: "null" });
  expect(Message.of(new Date(0))).toMatchObject({ kind: "text", payload: "1970-01-01T00:00:00.000Z" });
  expect(Message.of(new Uint16Array([258]).buffer)).toMatchObject({ kind: "bytes", payload: new Uint8Array([2, 1]) });
});

describe("join and leave of the server", () => {
  test("tell the other members and the client itself, in its protocol", async () => {
    const { relay, turn, connect, connectJson } = startJsonRelay();
    const [one, two, three] = [connect({ protocol: text }), connectJson(), connect()];
    for (const id of ["1", "2", "3"]) expect(await relay.join(id, "lobby")).toEqual({ outcome: "done" });
    expect(await relay.join("2", "lobby")).toEqual({ outcome: "done" });
    expect(await relay.members("lobby")).toEqual(["1", "2", "3"]);
    for (const id of ["2", "3"]) expect(await relay.leave(id, "lobby")).toEqual({ outcome: "done" });
    turn.end();
    const forOne = [":joined 1 lobby", ":joined 2 lobby", ":joined 3 lobby", ":left 2 lobby", ":left 3 lobby"];
    expect(one.heard.slice(1)).toEqual(forOne);
    expect(two.news).toEqual(["2 joined lobby", "3 joined lobby", "2 left lobby"]);
    expect(three.heard).toEqual([]);
  });

  test("let a client into a room beyond its grant, until it leaves", async () => {
    const { relay, connectJson } = startJsonRelay();
    const one = connectJson({ grant: { rooms: [] } });
    const ask = (type: "join" | "leave", ackId: number) => {
      one.asks({ type, room: "match", ackId });
      return one.all("ack").at(-1);
    };
    expect(ask("join", 1)).toMatchObject({ error: { code: "forbidden" } });
    await relay.join("1", "match");
    one.asks({ type: "publish", room: "match", data: 1, ackId: 2 });
    expect(one.all("ack").at(-1)).toMatchObject({ outcome: "delivered" });
    expect(ask("leave", 3)).toMatchObject({ outcome: "done" });
    expect(ask("join", 4)).toMatchObject({ error: { code: "forbidden" } });
  });

  test("of a session that is away are told to its client when it comes back", async () => {
    const { relay, turn, connectJson, resume } = startJsonRelay();
    const [one, two] = [connectJson(), connectJson()];
    for (const room of ["a", "b"]) one.asks({ type: "join", room });
    two.asks({ type: "join", room: "new" });
    one.vanishes();
    await relay.leave("1", "a");
    await relay.join("1", "new");
    turn.end();
    expect(two.news).toEqual(["1 joined new", "1 offline new"]);
    const back = resume(one);
    expect(back.news).toEqual(["1 joined new", "1 left a"]);
    back.vanishes();
    expect(resume(back).news).toEqual(["1 joined new"]);
    expect((await relay.session("1"))?.rooms).toEqual(["b", "new"]);
  });

  test("fail as a client's do, and within the limits", async () => {
    const { relay, connectJson } = startJsonRelay({ limits: { maxRoomsPerSession: 1 } });
    connectJson();
    expect(await relay.join("9", "lobby")).toMatchObject(NO_SUCH_ID);
    expect(await relay.join("1", "a b")).toMatchObject(BAD_ID);
    expect(await relay.leave("a b", "lobby")).toMatchObject(BAD_ID);
    expect(await relay.leave("1", "lobby")).toMatchObject({ outcome: "failed", error: { code: "not_in_room" } });
    expect(await relay.join("1", "one")).toEqual({ outcome: "done" });
    expect(await relay.join("1", "two")).toMatchObject({ outcome: "failed", error: { code: "forbidden" } });
    // As an app in JavaScript may call it.
    await expect(relay.join(1 as unknown as string, "lobby")).rejects.toThrow(TypeError);
  });

  test("close a connection whose backlog is full, so that its client learns of them by a resume", async () => {
    const { relay, connectJson, resume } = startJsonRelay({ limits: { maxBufferedBytes: 100 } });
    const one = connectJson();
    one.connection.waitingBytes = 1000;
    expect(await relay.join("1", "lobby")).toEqual({ outcome: "done" });
    expect(one.did.at(-1)).toBe("close 4000");
    expect(resume(one).news).toEqual(["1 joined lobby"]);
  });
});

describe("disconnect", () => {
  test("ends the session: its id is free, its mail is gone, and the code is final", async () => {
    const { relay, connectJson, resume } = startJsonRelay();
    const one = connectJson();
    await relay.send("1", "unread");
    expect(await relay.disconnect("1")).toEqual({ outcome: "done" });
    expect(one.did.at(-1)).toBe("close 4505");
    expect(one.connection.reasons).toEqual(["The server disconnected this client"]);
    expect(await relay.session("1")).toBeUndefined();
    expect(await relay.disconnect("1")).toMatchObject(NO_SUCH_ID);
    const back = resume(one);
    expect([back.welcome.resumed, back.data]).toEqual([false, []]);
  });

  test("that is not final closes the connection, and the session can be resumed", async () => {
    const { relay, connectJson, resume } = startJsonRelay();
    const one = connectJson();
    expect(await relay.disconnect("1", { final: false })).toEqual({ outcome: "done" });
    expect(one.did.at(-1)).toBe("close 4004");
    expect(await relay.session("1")).toMatchObject({ state: "away" });
    expect(await relay.disconnect("1", { code: 4100 })).toEqual({ outcome: "done" });
    expect(resume(one).welcome.resumed).toBe(true);
  });

  test("ends a session that is away", async () => {
    const { relay, connectJson } = startJsonRelay();
    connectJson().vanishes();
    expect(await relay.disconnect("1", { code: 1000, reason: "bye" })).toEqual({ outcome: "done" });
    expect(relay.holdings.sessions).toBe(0);
  });

  test("closes a plain client with the code and the reason of the app", async () => {
    const { relay, connect } = startJsonRelay();
    const one = connect();
    await relay.disconnect("1", { code: 3000, reason: "Enough" });
    expect([one.did.at(-1), one.connection.reasons]).toEqual(["close 3000", ["Enough"]]);
    expect(relay.holdings.sessions).toBe(0);
  });

  test.each([
    [{ code: 1001 }],
    [{ code: 2999 }],
    [{ code: 5000 }],
    [{ code: 4000.5 }],
    [{ code: 4500, final: false }],
    [{ code: 4000, final: true }],
    [{ reason: "ä".repeat(62) }],
  ])("refuses %j", async (options) => {
    const { relay, connect } = startJsonRelay();
    connect();
    await expect(relay.disconnect("1", options)).rejects.toThrow(RangeError);
    expect(relay.holdings.sessions).toBe(1);
  });
});

describe("lists", () => {
  test("have each session that stays once, and none twice, while others come and go", async () => {
    const { relay, connect } = startJsonRelay();
    const clients = Array.from({ length: 10 }, () => connect());
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await relay.sessions({ limit: 3, ...(cursor !== undefined && { cursor }) });
      seen.push(...page.sessions.map(({ id }) => id));
      cursor = page.cursor;
      clients[seen.length - 1]?.leaves();
      if (clients.length < 13) clients.push(connect());
    } while (cursor !== undefined);
    expect(seen).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"]);
  });

  test("of a room are in the same order, and can be narrowed by a prefix", async () => {
    const { relay, connectJson } = startJsonRelay();
    const ids = ["ann", "bob", "anton", "carl"];
    for (const id of ids) connectJson({ id });
    for (const id of [...ids].reverse()) await relay.join(id, "lobby");
    const idsOf = async (query: object) => (await relay.sessions(query)).sessions.map(({ id }) => id);
    expect(await idsOf({ room: "lobby" })).toEqual(ids);
    expect(await idsOf({ room: "lobby", prefix: "an", limit: 1 })).toEqual(["ann"]);
    expect(await idsOf({ prefix: "an" })).toEqual(["ann", "anton"]);
    expect(await idsOf({ room: "attic" })).toEqual([]);
    expect(await relay.members("lobby")).toEqual([...ids].reverse());
  });

  test("of rooms have their numbers of members", async () => {
    const { relay, connect } = startJsonRelay();
    for (let n = 0; n < 3; n++) connect();
    for (const [id, room] of [
      ["1", "a"],
      ["1", "b"],
      ["2", "b"],
      ["3", "ab"],
    ] as const)
      await relay.join(id, room);
    const first = await relay.rooms({ limit: 2 });
    expect(first.rooms).toEqual([
      { room: "a", members: 1 },
      { room: "b", members: 2 },
    ]);
    expect(await relay.rooms({ cursor: first.cursor ?? "" })).toEqual({ rooms: [{ room: "ab", members: 1 }] });
    expect((await relay.rooms({ prefix: "a" })).rooms.map(({ room }) => room)).toEqual(["a", "ab"]);
  });

  test.each([[{ limit: 0 }], [{ limit: 1001 }], [{ limit: 1.5 }], [{ cursor: "x" }], [{ cursor: "" }]])(
    "refuse %j",
    async (query) => {
      const { relay } = startJsonRelay();
      await expect(relay.sessions(query)).rejects.toThrow(RangeError);
      await expect(relay.rooms(query)).rejects.toThrow(RangeError);
    },
  );

  test("refuse an option that does not exist", async () => {
    const { relay } = startJsonRelay();
    await expect(relay.sessions({ roon: "lobby" } as object)).rejects.toThrow(TypeError);
  });
});

test("a session's details have its state, its rooms, and what waits for it", async () => {
  vi.setSystemTime(1_000_000);
  const { relay, connectJson, resume } = startJsonRelay();
  vi.advanceTimersByTime(1000);
  const one = connectJson({ client: { address: "192.0.2.1" }, data: { name: "Ann" } });
  one.asks({ type: "join", room: "lobby" });
  one.asks({ type: "watch", id: "9" });
  await relay.send("1", "12345");
  expect(await relay.session("1")).toEqual({
    id: "1",
    protocol: "relay.v1.json",
    address: "192.0.2.1",
    data: { name: "Ann" },
    since: 1_001_000,
    state: "online",
    stateSince: 1_001_000,
    rooms: ["lobby"],
    watches: 1,
    mailboxMessages: 1,
    mailboxBytes: expect.any(Number),
    sendBufferBytes: expect.any(Number),
    misses: 0,
  });
  passBeats(2);
  expect(await relay.session("1")).toMatchObject({ misses: 1, since: 1_001_000 });
  one.vanishes();
  vi.advanceTimersByTime(500);
  expect(await relay.session("1")).toMatchObject({ state: "away", stateSince: 1_011_000, sendBufferBytes: 0 });
  resume(one);
  expect(await relay.session("1")).toMatchObject({ state: "online", since: 1_001_000, stateSince: 1_011_500 });
  expect(await relay.session("9")).toBeUndefined();
});

test("the stats count messages by protocol and outcome, from clients and from the server", async () => {
  const { relay, connect, connectJson } = startJsonRelay({ limits: { maxRoomsPerSession: 7 } });
  const [one, two] = [connect(), connectJson()];
  for (const line of ["2:hi", "9:hi", "nonsense"]) one.says(line);
  two.asks({ type: "join", room: "lobby", ackId: 1 });
  two.asks({ type: "publish", room: "lobby", data: 1, echo: true, ackId: 2 });
  two.vanishes();
  one.says("2:later");
  await relay.send("1", "four");
  await relay.publish("lobby", 1);
  vi.advanceTimersByTime(1500);
  const { uptimeMs, holdings, away, sessions, limits, messages } = await relay.stats();
  expect(uptimeMs).toBe(1500);
  expect(holdings).toEqual(relay.holdings);
  expect([away, limits.maxRoomsPerSession]).toEqual([1, 7]);
  expect(sessions).toEqual({ plain: 1, "relay.v1.text": 0, "relay.v1.json": 1, "relay.v1.json-bytes": 0 });
  expect(messages.plain).toMatchObject({ delivered: 1, queued: 1, receivedBytes: 23, sentBytes: 4 });
  expect(messages.plain.failed).toMatchObject({ no_such_id: 1, bad_frame: 1, internal: 0 });
  expect(messages["relay.v1.json"]).toMatchObject({ delivered: 1, queued: 0, recipients: 1 });
  expect(messages.server).toMatchObject({ delivered: 2, recipients: 1, receivedBytes: 5 });
});

test("the stats count the ends of connections by code, with one entry for all codes that are not the relay's", async () => {
  const { relay, connect, connectJson, resume } = startJsonRelay();
  connect().leaves();
  for (const code of [3000, 3001, 4999]) connect().link.onSocketGone(code, "");
  const one = connectJson();
  resume(one).vanishes();
  one.link.onSocketGone(4500, "");
  connect();
  await relay.disconnect("6");
  relay.countRefusal("full");
  const { closes, refusals } = await relay.stats();
  expect(closes).toEqual({ 1000: 1, other: 3, 4500: 1, 1006: 1, 4505: 1 });
  expect(refusals).toEqual({ full: 1 });
});

test("the observer is told when a room gets its first member, and when its last one leaves", async () => {
  const events: string[] = [];
  const { relay, connectJson } = startJsonRelay({
    observer: {
      occupied: (room, id) => events.push(`${id} occupied ${room}`),
      emptied: (room, id) => events.push(`${id} emptied ${room}`),
      resumed: (id, wasAway) => events.push(`${id} resumed ${wasAway}`),
    },
  });
  const [one, two] = [connectJson(), connectJson()];
  for (const client of [one, two]) client.asks({ type: "join", room: "lobby" });
  await relay.leave("1", "lobby");
  two.asks({ type: "leave", room: "lobby" });
  expect(events.splice(0)).toEqual(["1 occupied lobby", "2 emptied lobby"]);
  await relay.join("1", "lobby");
  one.leaves();
  const again = connectJson({ resume: two.welcome.resumeToken });
  again.vanishes();
  connectJson({ resume: again.welcome.resumeToken });
  expect(events).toEqual(["1 occupied lobby", "1 emptied lobby", "2 resumed false", "2 resumed true"]);
});

test("the observer is told how long the relay took for one frame in 256", () => {
  const durations: number[] = [];
  const { connect } = startJsonRelay({
    observer: {
      handled: (durationMs) => durations.push(durationMs),
      received: (_id, { payload }) => {
        if (payload === "slow") vi.advanceTimersByTime(7);
      },
    },
  });
  const one = connect();
  for (let frame = 1; frame < 256; frame++) one.says("1:hi");
  expect(durations).toEqual([]);
  one.says("slow");
  for (let frame = 1; frame < 256; frame++) one.says("1:hi");
  expect(durations).toEqual([7]);
});
