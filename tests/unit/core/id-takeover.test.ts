import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { plain } from "../../../src/core/protocol/plain.ts";
import { text } from "../../../src/core/protocol/text.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const alice = { id: "alice" };

describe("a client with an id from the app, but without a token of the session that has the id,", () => {
  test("gets the mail of the session that is away, with its numbers, as a new session", () => {
    const { relay, connectJson } = startJsonRelay();
    const [sender, lost] = [connectJson(), connectJson(alice)];
    sender.sends("alice", "read", 1);
    sender.sends("alice", "not acknowledged", 2);
    lost.asks({ type: "sequenceAck", sequenceId: 1 });
    lost.vanishes();
    expect(sender.sends("alice", "queued", 3)?.outcome).toBe("queued");
    const back = connectJson(alice);
    expect(back.welcome).toMatchObject({ id: "alice", resumed: false, recovered: true });
    expect(back.all("message").map(({ sequenceId, data }) => [sequenceId, data])).toEqual([
      [2, "not acknowledged"],
      [3, "queued"],
    ]);
    sender.sends("alice", "new", 4);
    expect(back.all("message").at(-1)).toMatchObject({ sequenceId: 4, data: "new" });
    back.asks({ type: "sequenceAck", sequenceId: 4 });
    expect(relay.holdings).toMatchObject({ sessions: 2, waitingMessages: 0, bufferedBytes: 0 });
  });

  test("gets the mail from a session whose connection is still open, which closes with 4500", () => {
    const { connectJson } = startJsonRelay();
    const [sender, open] = [connectJson(), connectJson(alice)];
    sender.sends("alice", "hi", 1);
    const next = connectJson(alice);
    expect([open.did.at(-1), next.data]).toEqual(["close 4500", ["hi"]]);
    open.link.onSocketGone(4500, "");
    expect(sender.sends("alice", "more", 2)?.outcome).toBe("delivered");
    expect([open.data, next.data]).toEqual([["hi"], ["hi", "more"]]);
  });

  test("gets the mail with a token that is used up, and gets a new token that resumes", () => {
    const { connectJson } = startJsonRelay();
    const [sender, first] = [connectJson(), connectJson(alice)];
    first.vanishes();
    const second = connectJson({ ...alice, resume: first.welcome.resumeToken });
    second.asks({ type: "pong" });
    second.vanishes();
    sender.sends("alice", "queued", 1);
    const third = connectJson({ ...alice, resume: first.welcome.resumeToken });
    expect(third.welcome).toMatchObject({ id: "alice", resumed: false, recovered: true });
    expect(third.data).toEqual(["queued"]);
    third.vanishes();
    const fourth = connectJson({ ...alice, resume: third.welcome.resumeToken });
    expect(fourth.welcome).toMatchObject({ resumed: true, recovered: true });
    expect(fourth.data).toEqual(["queued"]);
  });

  test("gets the mail again and again until it acknowledges", () => {
    const { connectJson } = startJsonRelay();
    const sender = connectJson();
    connectJson(alice).vanishes();
    sender.sends("alice", "queued", 1);
    for (let times = 0; times < 4; times++) {
      const tab = connectJson(alice);
      expect(tab.data).toEqual(["queued"]);
      tab.vanishes();
    }
  });

  test("gets nothing of it, and recovered: false, where its token is of a session that ended before", () => {
    const { connectJson } = startJsonRelay();
    const first = connectJson(alice);
    first.leaves();
    connectJson(alice).vanishes();
    const back = connectJson({ ...alice, resume: first.welcome.resumeToken });
    expect(back.welcome).toMatchObject({ resumed: false, recovered: false });
  });

  test("is told once that something was lost: recovered is true again after a frame of its own", () => {
    const { connectJson } = startJsonRelay({ limits: { maxMailboxMessages: 2 } });
    const [sender, lost] = [connectJson(), connectJson(alice)];
    for (let ackId = 1; ackId <= 3; ackId++) sender.sends("alice", ackId, ackId);
    lost.vanishes();
    const back = connectJson(alice);
    expect([back.welcome.recovered, back.data]).toEqual([false, [2, 3]]);
    back.asks({ type: "pong" });
    expect(connectJson(alice).welcome.recovered).toBe(true);
  });

  test("is in no room, watches nobody and may use any ackId; room members hear left before anything else", () => {
    const { turn, connectJson } = startJsonRelay();
    const [other, lost] = [connectJson(), connectJson(alice)];
    for (const one of [other, lost]) one.asks({ type: "join", room: "lobby" });
    other.asks({ type: "watch", id: "alice" });
    lost.asks({ type: "watch", id: "1" });
    lost.sends("1", "first", 1);
    const before = other.news.length;
    const back = connectJson(alice);
    back.asks({ type: "join", room: "lobby" });
    expect(other.news.slice(before)).toEqual([
      "alice left lobby",
      "alice offline",
      "alice online",
      "alice joined lobby",
    ]);
    expect(back.news).toEqual([]);
    expect(back.sends("1", "second", 1)?.outcome).toBe("delivered");
    expect(other.data).toEqual(["first", "second"]);
    other.vanishes();
    turn.end();
    expect(back.news).toEqual(["1 offline lobby"]);
  });

  test("loses the mail in another protocol; the next client of the first protocol learns of the loss", () => {
    for (const protocol of [plain, text]) {
      const { relay, turn, connect, connectJson } = startJsonRelay();
      const sender = connectJson();
      connectJson(alice).vanishes();
      sender.sends("alice", "queued", 1);
      connect({ ...alice, protocol });
      turn.end();
      expect(relay.holdings).toMatchObject({ sessions: 2, waitingMessages: 0, bufferedBytes: 0 });
      connect({ ...alice, protocol });
      const back = connectJson(alice);
      expect([back.welcome.recovered, back.data]).toEqual([false, []]);
      back.asks({ type: "pong" });
      expect(connectJson(alice).welcome.recovered).toBe(true);
    }
  });

  test("in another protocol, without mail to lose, causes no report of a loss", () => {
    const { connect, connectJson } = startJsonRelay();
    connectJson(alice).vanishes();
    connect({ ...alice, protocol: text });
    expect(connectJson(alice).welcome.recovered).toBe(true);
  });
});

describe("a delayed attempt of a client with an id from the app", () => {
  test("does not end the session that a later attempt has begun", () => {
    const { connectJson } = startJsonRelay();
    const first = connectJson(alice);
    const resume = first.welcome.resumeToken;
    first.leaves();
    const back = connectJson({ ...alice, resume, attempt: 5 });
    const late = connectJson({ ...alice, resume, attempt: 4 });
    expect(late.did).toEqual(["close 4500"]);
    expect(back.did).not.toContain("close 4500");
    expect(connectJson({ id: "bob", resume, attempt: 4 }).welcome.id).toBe("bob");
  });

  test("does not end its session with a token that is used up", () => {
    const { connectJson } = startJsonRelay();
    const first = connectJson(alice);
    const resume = first.welcome.resumeToken;
    first.vanishes();
    const back = connectJson({ ...alice, resume, attempt: 2 });
    back.asks({ type: "pong" });
    expect(connectJson({ ...alice, resume, attempt: 1 }).did).toEqual(["close 4500"]);
    expect(back.did).not.toContain("close 4500");
  });
});
