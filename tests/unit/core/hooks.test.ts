import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { MessageInTransit } from "../../../src/core/hooks.ts";
import { Message } from "../../../src/core/protocol/message.ts";
import { text } from "../../../src/core/protocol/text.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const defect = new Error("a defect");

describe("onMessage", () => {
  test("sees each message that is about to be delivered, whole", () => {
    const seen: MessageInTransit[] = [];
    const { connect, connectJson } = startJsonRelay({
      hooks: {
        onMessage: (passing) => {
          seen.push(passing);
          return undefined;
        },
      },
    });
    const [one, two] = [connect({ protocol: text }), connectJson()];
    one.says(":join lobby");
    one.says("2:hi");
    one.says("#lobby:all");
    one.says(new Uint8Array([0x32, 0x3a, 0xff]));
    two.asks({ type: "send", to: "1", data: { a: 1 } });
    one.says("9:nobody");
    one.says("#attic:not a member");
    expect(seen).toMatchObject([
      { sender: { id: "1" }, to: "2", room: undefined, message: { payload: "hi", kind: "text" } },
      { sender: { id: "1" }, to: undefined, room: "lobby", message: { payload: "all", kind: "text" } },
      { sender: { id: "1" }, to: "2", room: undefined, message: { payload: new Uint8Array([0xff]), kind: "bytes" } },
      { sender: { id: "2" }, to: "1", room: undefined, message: { payload: '{"a":1}', kind: "json" } },
    ]);
    expect(two.data).toEqual(["hi", "/w=="]);
  });

  test("that returns false refuses the message: only its sender learns, by forbidden", () => {
    const { connect, connectJson } = startJsonRelay({
      hooks: { onMessage: ({ message }) => message.payload !== "no" },
    });
    const [one, two, three] = [connectJson(), connectJson(), connect()];
    for (const client of [one, two]) client.asks({ type: "join", room: "lobby" });
    expect(one.sends("2", "no", 1)).toMatchObject({
      outcome: "failed",
      error: { code: "forbidden", temporary: false },
    });
    one.asks({ type: "publish", room: "lobby", data: "no", ackId: 2 });
    expect(one.all("ack").at(-1)).toMatchObject({ error: { code: "forbidden" } });
    three.says("2:no");
    expect(three.heard).toEqual([expect.stringMatching(/^:error forbidden Cannot /)]);
    expect(one.sends("2", "yes", 3)).toMatchObject({ outcome: "delivered" });
    expect(two.data).toEqual(["yes"]);
  });

  test("that throws refuses the message with internal and is reported; the connection stays", () => {
    const failures: unknown[] = [];
    const { connectJson } = startJsonRelay({
      hooks: {
        onMessage: ({ message }) => {
          if (message.payload === "bang") throw defect;
          return true;
        },
      },
      observer: { failed: (id, error) => failures.push([id, error]) },
    });
    const [one, two] = [connectJson(), connectJson()];
    const ack = one.sends("2", "bang", 1);
    expect(ack).toMatchObject({ error: { code: "internal", temporary: true } });
    expect(JSON.stringify(ack)).not.toContain("defect");
    expect(one.sends("2", "hi", 2)).toMatchObject({ outcome: "delivered" });
    expect(failures).toEqual([["1", defect]]);
    expect(two.data).toEqual(["hi"]);
    expect(one.did.join()).not.toContain("close");
  });

  test("is not asked about a duplicate", () => {
    let asked = 0;
    const { connectJson } = startJsonRelay({ hooks: { onMessage: () => ++asked > 0 } });
    const one = connectJson();
    one.sends("1", "hi", 1);
    one.sends("1", "hi", 1);
    expect(asked).toBe(1);
  });
});

describe("onOpen and onClose", () => {
  test("are called once for each session, not for each of its connections", () => {
    const calls: string[] = [];
    const { connect, connectJson, resume } = startJsonRelay({
      hooks: { onOpen: ({ id }) => calls.push(`open ${id}`), onClose: ({ id }) => calls.push(`close ${id}`) },
    });
    const one = connectJson();
    one.vanishes();
    const back = resume(one);
    connect().leaves();
    expect(calls).toEqual(["open 1", "open 2", "close 2"]);
    back.leaves();
    back.link.onSocketGone(1006, "");
    expect(calls.at(-1)).toBe("close 1");
    expect(calls.length).toBe(4);
  });

  test("onClose comes when the resume window of a session is over, after its id is free", () => {
    const sessions: number[] = [];
    const { relay, connectJson } = startJsonRelay({
      resumeMs: 1000,
      hooks: { onClose: () => sessions.push(relay.holdings.sessions) },
    });
    connectJson().vanishes();
    vi.advanceTimersByTime(999);
    expect(sessions).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(sessions).toEqual([0]);
  });

  test("that throw are reported; the session begins and ends as usual", () => {
    const failures: unknown[] = [];
    const fail = (): never => {
      throw defect;
    };
    const { relay, connectJson } = startJsonRelay({
      hooks: { onOpen: fail, onClose: fail },
      observer: { failed: (id, error) => failures.push([id, error]) },
    });
    const one = connectJson();
    expect(one.sends("1", "hi", 1)).toMatchObject({ outcome: "delivered" });
    one.leaves();
    expect(failures).toEqual([
      ["1", defect],
      ["1", defect],
    ]);
    expect(relay.holdings.sessions).toBe(0);
  });
});

test("each hook gets the session, and is called in the order of what happened", async () => {
  const calls: unknown[] = [];
  const { relay, connectJson, resume } = startJsonRelay({
    hooks: {
      onOpen: (session) => calls.push(["open", session]),
      onAway: ({ id }, { code }) => calls.push(["away", id, code]),
      onBack: ({ data }) => calls.push(["back", data]),
      onJoin: ({ id }, room) => calls.push(["join", id, room]),
      onLeave: ({ id }, room) => calls.push(["leave", id, room]),
      onClose: ({ id }, { by, code }) => calls.push(["close", id, by, code]),
    },
  });
  const one = connectJson({ client: { address: "192.0.2.1" }, data: { name: "Ann" } });
  const info = { id: "1", protocol: "relay.v1.json", address: "192.0.2.1", data: { name: "Ann" } };
  expect(calls.splice(0)).toEqual([["open", info]]);
  for (const type of ["join", "join", "leave", "leave"] as const) one.asks({ type, room: "lobby" });
  for (const room of ["a", "b"]) await relay.join("1", room);
  await relay.leave("1", "a");
  expect(calls.splice(0)).toEqual([
    ["join", "1", "lobby"],
    ["leave", "1", "lobby"],
    ["join", "1", "a"],
    ["join", "1", "b"],
    ["leave", "1", "a"],
  ]);
  one.vanishes();
  resume(one).leaves();
  expect(calls).toEqual([
    ["away", "1", 1006],
    ["back", undefined],
    ["leave", "1", "b"],
    ["close", "1", "client", 1000],
  ]);
});

test("onMessage may put another message in the place of the one it got, in any protocol", () => {
  const { connect, connectJson } = startJsonRelay({
    hooks: {
      onMessage: ({ message: { payload } }) =>
        payload === "large" ? Message.of("x".repeat(200)) : Message.of({ [String(payload)]: new Date(0) }),
    },
    limits: { maxMessageBytes: 100 },
    observer: { failed: () => {} },
  });
  const [one, two] = [connect(), connectJson()];
  one.says("2:at");
  one.says("1:at");
  one.says("1:large");
  expect(two.data).toEqual([{ at: "1970-01-01T00:00:00.000Z" }]);
  expect(one.heard).toEqual(['{"at":"1970-01-01T00:00:00.000Z"}', expect.stringMatching("^:error internal ")]);
});

test("a client that takes over an id ends the old session with 4500: first its onClose, then the new onOpen", () => {
  const calls: string[] = [];
  const { relay, connectJson, resume } = startJsonRelay({
    hooks: { onOpen: ({ id }) => calls.push(`open ${id}`), onClose: ({ id }) => calls.push(`close ${id}`) },
  });
  const old = connectJson({ id: "alice" });
  const sender = connectJson();
  const now = connectJson({ id: "alice" });
  expect(old.did.at(-1)).toBe("close 4500");
  old.link.onSocketGone(4500, "");
  sender.sends("alice", "hi", 1);
  expect([old.data, now.data]).toEqual([[], ["hi"]]);
  expect(relay.holdings.sessions).toBe(2);
  expect(calls).toEqual(["open alice", "open 1", "close alice", "open alice"]);
  expect(resume(old).welcome).toMatchObject({ id: "2", resumed: false });
});
