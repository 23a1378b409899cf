import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { text } from "../../../src/core/protocol/text.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("clients of relay.v1.text in a room", () => {
  test("are told of each join and leave, their own included, and hear each other", () => {
    const { connect } = startJsonRelay();
    const [one, two] = [connect({ protocol: text }), connect({ protocol: text })];
    one.says(":join lobby");
    two.says(":join lobby");
    one.says("#lobby:anybody here?");
    two.says(":leave lobby");
    expect(one.heard).toEqual([":welcome 1", ":joined 1 lobby", ":joined 2 lobby", ":left 2 lobby"]);
    expect(two.heard).toEqual([":welcome 2", ":joined 2 lobby", "1#lobby:anybody here?", ":left 2 lobby"]);
  });

  test("can ask for the members, in order of joining, and for their own id", () => {
    const { connect } = startJsonRelay();
    const [one, two] = [connect({ protocol: text }), connect({ protocol: text })];
    two.says(":join lobby");
    one.says(":join lobby");
    for (const line of [":who lobby", ":whoami", ":ping"]) one.says(line);
    expect(one.heard.slice(2)).toEqual([":who lobby 2 1", ":whoami 1", ":pong"]);
  });

  test.each([
    [":leave lobby", ":error not_in_room lobby"],
    [":who lobby", ":error not_in_room lobby"],
    ["#lobby:hi", ":error not_in_room lobby"],
    [":join a#b", ':error bad_id "a#b"'],
    ["#a b:hi", ':error bad_id "a b"'],
    ["9:hi", ":error no_such_id 9"],
  ])("who says %j without being there is told %j, and nobody else is told anything", (line, answer) => {
    const { connect } = startJsonRelay();
    const [one, two] = [connect({ protocol: text }), connect({ protocol: text })];
    two.says(":join lobby");
    one.says(line);
    expect(one.heard.slice(1)).toEqual([answer]);
    expect(two.heard).toEqual([":welcome 2", ":joined 2 lobby"]);
  });
});

describe("clients of relay.v1.json in a room", () => {
  test("join, ask and leave with an ack each, and are told only of the others", () => {
    const { connectJson } = startJsonRelay();
    const [one, two] = [connectJson(), connectJson()];
    one.asks({ type: "join", room: "lobby", ackId: 1 });
    two.asks({ type: "join", room: "lobby", ackId: 1 });
    two.asks({ type: "members", room: "lobby", ackId: 2 });
    two.asks({ type: "leave", room: "lobby", ackId: 3 });
    expect(two.all("ack")).toEqual([
      { type: "ack", ackId: 1, outcome: "done" },
      { type: "ack", ackId: 2, outcome: "done", members: ["1", "2"] },
      { type: "ack", ackId: 3, outcome: "done" },
    ]);
    expect([one.news, two.news]).toEqual([["2 joined lobby", "2 left lobby"], []]);
  });

  test("hear published messages, except their sender, which is told the number of recipients", () => {
    const { connectJson } = startJsonRelay();
    const clients = [connectJson(), connectJson(), connectJson()] as const;
    const outsider = connectJson();
    for (const client of clients) client.asks({ type: "join", room: "lobby" });
    clients[0].asks({ type: "publish", room: "lobby", data: { a: 1 }, ackId: 1 });
    expect(clients.map(({ data }) => data)).toEqual([[], [{ a: 1 }], [{ a: 1 }]]);
    expect(clients[1].all("message")).toEqual([
      { type: "message", from: "1", room: "lobby", data: { a: 1 }, sequenceId: 1 },
    ]);
    expect(clients[0].all("ack")).toEqual([{ type: "ack", ackId: 1, outcome: "delivered", recipients: 2 }]);
    expect(outsider.frames.length).toBe(1);
  });

  test("hear their own message with echo, before its ack", () => {
    const { connectJson } = startJsonRelay();
    const one = connectJson();
    one.asks({ type: "join", room: "lobby" });
    one.asks({ type: "publish", room: "lobby", data: "hi", echo: true, ackId: 1 });
    expect(one.frames.slice(1)).toMatchObject([
      { type: "message", data: "hi" },
      { type: "ack", recipients: 1 },
    ]);
  });

  test("join twice without a second notice, and are one member", () => {
    const { connectJson } = startJsonRelay();
    const [one, two] = [connectJson(), connectJson()];
    one.asks({ type: "join", room: "lobby" });
    for (const ackId of [1, 2]) two.asks({ type: "join", room: "lobby", ackId });
    one.asks({ type: "publish", room: "lobby", data: "hi" });
    expect([one.news, two.data]).toEqual([["2 joined lobby"], ["hi"]]);
    expect(two.all("ack").map(({ outcome }) => outcome)).toEqual(["done", "done"]);
  });

  test("each get their own kind of error", () => {
    const { connectJson } = startJsonRelay();
    const one = connectJson();
    for (const type of ["leave", "members"] as const) one.asks({ type, room: "lobby", ackId: 1 });
    one.asks({ type: "publish", room: "lobby", data: 1, ackId: 2 });
    one.asks({ type: "join", room: "a b", ackId: 3 });
    one.asks({ type: "publish", room: "", data: 1, ackId: 4 });
    expect(one.all("ack").map(({ error }) => error?.code)).toEqual([
      "not_in_room",
      "not_in_room",
      "not_in_room",
      "bad_id",
      "bad_id",
    ]);
  });

  test("are gone from it when their session ends, and stay when it is away", () => {
    const { relay, connectJson, resume } = startJsonRelay();
    const [one, two, three] = [connectJson(), connectJson(), connectJson()];
    for (const client of [one, two, three]) client.asks({ type: "join", room: "lobby" });
    two.leaves();
    three.vanishes();
    one.asks({ type: "members", room: "lobby", ackId: 1 });
    one.asks({ type: "publish", room: "lobby", data: "hi", ackId: 2 });
    expect(one.all("ack")).toMatchObject([{ members: ["1", "3"] }, { recipients: 1 }]);
    const back = resume(three);
    back.asks({ type: "publish", room: "lobby", data: "back", ackId: 1 });
    expect([back.data, one.data]).toEqual([["hi"], ["back"]]);
    one.leaves();
    back.leaves();
    expect(relay.holdings.rooms).toBe(0);
  });
});

test("a room of all protocols hears each in its own words", () => {
  const { connect, connectJson } = startJsonRelay();
  const [one, two] = [connect({ protocol: text }), connectJson()];
  one.says(":join lobby");
  two.asks({ type: "join", room: "lobby" });
  two.asks({ type: "publish", room: "lobby", data: { a: 1 } });
  one.says("#lobby:hi");
  one.says(new Uint8Array([...new TextEncoder().encode("#lobby:"), 0, 255]));
  expect(one.heard).toEqual([":welcome 1", ":joined 1 lobby", ":joined 2 lobby", '2#lobby:{"a":1}']);
  expect(two.all("message")).toMatchObject([
    { from: "1", room: "lobby", data: "hi" },
    { from: "1", room: "lobby", data: "AP8=", encoding: "base64" },
  ]);
});

test("members that cannot take a message are not counted as recipients, and do not keep others from getting it", () => {
  const { connect, connectJson } = startJsonRelay({ limits: { maxBufferedBytes: 1000 } });
  const [one, slow, three] = [connectJson(), connect({ protocol: text }), connectJson()];
  one.asks({ type: "join", room: "lobby" });
  slow.says(":join lobby");
  three.asks({ type: "join", room: "lobby" });
  slow.connection.waitingBytes = 1001;
  one.asks({ type: "publish", room: "lobby", data: "hi", ackId: 1 });
  expect(one.all("ack")).toMatchObject([{ outcome: "delivered", recipients: 1 }]);
  expect(three.data).toEqual(["hi"]);
});

describe("a session", () => {
  test("is in maxRoomsPerSession rooms at most; one more is forbidden, and one that it is in already is not", () => {
    const { connectJson } = startJsonRelay({ limits: { maxRoomsPerSession: 2 } });
    const client = connectJson();
    for (const [at, room] of ["a", "b", "c", "a"].entries()) client.asks({ type: "join", room, ackId: at });
    client.asks({ type: "leave", room: "a", ackId: 4 });
    client.asks({ type: "join", room: "c", ackId: 5 });
    expect(client.all("ack").map(({ outcome, error }) => error?.code ?? outcome)).toEqual([
      "done",
      "done",
      "forbidden",
      "done",
      "done",
      "done",
    ]);
  });

  test("watches maxWatchesPerSession ids at most; one more is forbidden, one that it watches already is not", () => {
    const { connectJson } = startJsonRelay({ limits: { maxWatchesPerSession: 2 } });
    const client = connectJson();
    for (const [at, id] of ["a", "b", "c", "a"].entries()) client.asks({ type: "watch", id, ackId: at });
    client.asks({ type: "unwatch", id: "a", ackId: 4 });
    client.asks({ type: "watch", id: "c", ackId: 5 });
    expect(client.all("ack").map(({ outcome, error }) => error?.code ?? outcome)).toEqual([
      "done",
      "done",
      "forbidden",
      "done",
      "done",
      "done",
    ]);
  });
});

test("a session that keeps asking for long lists of members gets rate_limited", () => {
  const { connectJson } = startJsonRelay();
  const clients = Array.from({ length: 500 }, () => connectJson());
  for (const client of clients) client.asks({ type: "join", room: "lobby" });
  const [asker] = clients;
  for (let times = 0; times < 401; times++) asker?.asks({ type: "members", room: "lobby", ackId: times });
  const outcomes = asker?.all("ack").map(({ outcome }) => outcome);
  expect(outcomes?.filter((outcome) => outcome === "done").length).toBe(400);
  expect(asker?.all("ack").at(-1)?.error?.code).toBe("rate_limited");
});
