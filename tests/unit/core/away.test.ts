import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Limits } from "../../../src/core/link/limits.ts";
import { type Left, passBeats } from "../fakes.ts";
import { type JsonClient, startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Connects a sender `1` and a receiver `2`, both of relay.v1.json. */
function connectTwo(limits: Partial<Limits> = {}) {
  const started = startJsonRelay({ limits });
  return { ...started, sender: started.connectJson(), receiver: started.connectJson() };
}

/** Sends messages one after the other. @returns Their outcomes. */
function outcomes(sender: JsonClient, messages: readonly unknown[], firstAckId = 1): (string | undefined)[] {
  return messages.map((data, at) => {
    const ack = sender.sends("2", data, firstAckId + at);
    return ack?.error?.code ?? ack?.outcome;
  });
}

describe("how a connection ends decides whether its session is away or over", () => {
  test.each([1006, 4000, 4001, 4499])("closed by its client with %i it is away", (code) => {
    const { relay, sender, receiver } = connectTwo();
    receiver.link.onPeerClosing(code, "");
    receiver.link.onSocketGone(code, "");
    expect(relay.holdings.sessions).toBe(2);
    expect(outcomes(sender, ["hi"])).toEqual(["queued"]);
  });

  test.each([1000, 1001, 1005, 1002, 1007, 1009, 3000, 4500, 4999])(
    "closed by its client with %i it is over",
    (code) => {
      const { relay, sender, receiver, resume } = connectTwo();
      receiver.link.onPeerClosing(code, "");
      expect(relay.holdings.sessions).toBe(1);
      expect(outcomes(sender, ["hi"])).toEqual(["no_such_id"]);
      expect(resume(receiver).welcome.resumed).toBe(false);
    },
  );

  test("given up by the heartbeat it is away", () => {
    const { relay, sender, receiver } = connectTwo();
    for (let tenths = 0; tenths < 41; tenths++) {
      sender.link.onPong();
      passBeats(0.1);
    }
    expect(receiver.did.at(-1)).toBe("terminate");
    expect(relay.holdings.sessions).toBe(2);
    expect(outcomes(sender, ["hi"])).toEqual(["queued"]);
  });

  test("closed by the relay with 4000, because it did not read, it is away", () => {
    const { relay, receiver } = connectTwo({ maxBufferedBytes: 10 });
    receiver.connection.waitingBytes = 11;
    receiver.asks({ type: "join", room: "lobby", ackId: 1 });
    expect(receiver.did.at(-1)).toBe("close 4000");
    expect(relay.holdings.sessions).toBe(2);
  });

  test("closed by the relay with 1009, for a message that is too large, it is over", () => {
    const { relay, receiver } = connectTwo({ maxMessageBytes: 100 });
    receiver.says("x".repeat(101));
    expect(receiver.did.at(-1)).toBe("close 1009");
    expect(relay.holdings.sessions).toBe(1);
  });

  test("the observer gets away, resumed and left, once each", () => {
    const events: string[] = [];
    const left: Left[] = [];
    const { connectJson, resume } = startJsonRelay({
      observer: {
        connected: (id) => events.push(`connected ${id}`),
        away: (id, { by, code }) => events.push(`away ${id} ${by} ${code}`),
        resumed: (id) => events.push(`resumed ${id}`),
        left: (id, ending) => left.push({ id, ending }),
      },
    });
    const lost = connectJson();
    lost.vanishes();
    const back = resume(lost);
    expect(events).toEqual(["connected 1", "away 1 client 1006", "resumed 1"]);
    expect(left).toEqual([]);
    back.leaves();
    expect(left).toEqual([{ id: "1", ending: { by: "client", code: 1000, reason: "", mayReturn: false } }]);
    expect(events.length).toBe(3);
  });
});

describe("the mailbox of a session that is away", () => {
  test("takes maxMailboxMessages messages; the next sender hears mailbox_full, and queued messages stay", () => {
    const { sender, receiver, resume } = connectTwo({ maxMailboxMessages: 3 });
    receiver.vanishes();
    expect(outcomes(sender, ["a", "b", "c", "d"])).toEqual(["queued", "queued", "queued", "mailbox_full"]);
    const back = resume(receiver);
    expect(back.data).toEqual(["a", "b", "c"]);
    expect(back.welcome.recovered).toBe(true);
  });

  test("takes maxMailboxBytes bytes, and a smaller message after a refused one", () => {
    const { sender, receiver } = connectTwo({ maxMailboxBytes: 200 });
    receiver.vanishes();
    expect(outcomes(sender, ["x".repeat(80), "x".repeat(80), "y"])).toEqual(["queued", "mailbox_full", "queued"]);
  });

  test("never takes a message larger than itself, away or not: too_large, which is not temporary", () => {
    const { sender, receiver } = connectTwo({ maxMailboxBytes: 100 });
    expect(sender.sends("2", "x".repeat(101), 1)?.error).toMatchObject({ code: "too_large", temporary: false });
    receiver.vanishes();
    expect(sender.sends("2", "x".repeat(101), 2)?.error).toMatchObject({ code: "too_large", temporary: false });
    expect(outcomes(sender, ["fits"], 3)).toEqual(["queued"]);
  });

  test("counts messages that were sent before and not acknowledged", () => {
    const { sender, receiver } = connectTwo({ maxMailboxMessages: 3 });
    expect(outcomes(sender, ["a", "b"])).toEqual(["delivered", "delivered"]);
    receiver.vanishes();
    expect(outcomes(sender, ["c", "d"], 3)).toEqual(["queued", "mailbox_full"]);
  });
});

describe("a session that is there and does not acknowledge", () => {
  test("although it has before refuses messages beyond its mailbox with too_slow, until it does", () => {
    const { sender, receiver } = connectTwo({ maxMailboxMessages: 2 });
    receiver.asks({ type: "sequenceAck", sequenceId: 0 });
    expect(outcomes(sender, ["a", "b", "c"])).toEqual(["delivered", "delivered", "too_slow"]);
    receiver.asks({ type: "sequenceAck", sequenceId: 1 });
    expect(outcomes(sender, ["d"], 4)).toEqual(["delivered"]);
    expect(receiver.data).toEqual(["a", "b", "d"]);
  });

  test("and never has gets all messages and keeps the newest; a resume says recovered: false, once", () => {
    const { sender, receiver, resume } = connectTwo({ maxMailboxMessages: 2 });
    expect(outcomes(sender, ["a", "b", "c"])).toEqual(["delivered", "delivered", "delivered"]);
    expect(receiver.data).toEqual(["a", "b", "c"]);
    receiver.vanishes();
    const back = resume(receiver);
    expect(back.welcome).toMatchObject({ resumed: true, recovered: false });
    expect(back.data).toEqual(["b", "c"]);
    back.asks({ type: "sequenceAck", sequenceId: 3 });
    back.vanishes();
    expect(resume(back).welcome).toMatchObject({ resumed: true, recovered: true });
  });
});

describe("recovered: false", () => {
  test("is repeated to a client that never saw it", () => {
    const { sender, receiver, resume } = connectTwo({ maxMailboxMessages: 1 });
    outcomes(sender, ["a", "b"]);
    receiver.vanishes();
    resume(receiver).vanishes();
    expect(resume(receiver).welcome).toMatchObject({ resumed: true, recovered: false });
  });

  test("reports published messages that had no room while the session was away", () => {
    const { sender, receiver, resume } = connectTwo({ maxMailboxMessages: 1 });
    for (const client of [sender, receiver]) client.asks({ type: "join", room: "lobby" });
    receiver.vanishes();
    sender.asks({ type: "publish", room: "lobby", data: "kept", ackId: 1 });
    sender.asks({ type: "publish", room: "lobby", data: "lost", ackId: 2 });
    expect(sender.all("ack").map(({ recipients }) => recipients)).toEqual([1, 0]);
    const back = resume(receiver);
    expect([back.welcome.recovered, back.data]).toEqual([false, ["kept"]]);
  });

  test("reports messages that were lost between a welcome and the first frame after it", () => {
    const { sender, receiver, resume } = connectTwo({ maxBufferedBytes: 2000 });
    for (const client of [sender, receiver]) client.asks({ type: "join", room: "lobby" });
    receiver.vanishes();
    const back = resume(receiver);
    back.connection.waitingBytes = 2001;
    sender.asks({ type: "publish", room: "lobby", data: "lost", ackId: 1 });
    back.connection.waitingBytes = 0;
    back.asks({ type: "sequenceAck", sequenceId: 0 });
    back.vanishes();
    expect(resume(back).welcome).toMatchObject({ resumed: true, recovered: false });
  });
});

test("a shutdown ends sessions that are away, too, and leaves no timer", async () => {
  const left: Left[] = [];
  const { relay, connectJson } = startJsonRelay({ observer: { left: (id, ending) => left.push({ id, ending }) } });
  connectJson().vanishes();
  await relay.shutdown();
  expect(left).toMatchObject([{ id: "1", ending: { by: "relay", code: 1001 } }]);
  expect(relay.holdings.sessions).toBe(0);
  const late = connectJson();
  expect(late.did).toEqual(["close 1001"]);
  late.link.onSocketGone(1001, "");
  expect(vi.getTimerCount()).toBe(0);
});
