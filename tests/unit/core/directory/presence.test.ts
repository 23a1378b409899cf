import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { text } from "../../../../src/core/protocol/text.ts";
import { startJsonRelay } from "../../json-client.ts";

const RESUME_MS = 30_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts a relay whose heartbeat drops no connection during these tests. */
function start() {
  return startJsonRelay({ resumeMs: RESUME_MS, heartbeatMs: 600_000 });
}

describe("a watcher of an id", () => {
  test("is told its state immediately, behind the ack", () => {
    const { connectJson } = start();
    const [watcher] = [connectJson(), connectJson()];
    watcher.asks({ type: "watch", id: "2", ackId: 1 });
    watcher.asks({ type: "watch", id: "nobody", ackId: 2 });
    expect(watcher.frames.slice(1)).toEqual([
      { type: "ack", ackId: 1, outcome: "done" },
      { type: "presence", id: "2", event: "online" },
      { type: "ack", ackId: 2, outcome: "done" },
      { type: "presence", id: "nobody", event: "offline" },
    ]);
  });

  test("is told when its session begins, is lost, is resumed and ends, once each", () => {
    const { connectJson, resume } = start();
    const watcher = connectJson();
    watcher.asks({ type: "watch", id: "2" });
    const two = connectJson();
    two.vanishes();
    resume(two).leaves();
    watcher.asks({ type: "ping" });
    expect(watcher.news).toEqual(["2 offline", "2 online", "2 offline", "2 online", "2 offline"]);
  });

  test("is told of an id without a resume window as well", () => {
    const { connect, connectJson } = start();
    const watcher = connectJson();
    watcher.asks({ type: "watch", id: "2" });
    connect().leaves();
    watcher.asks({ type: "ping" });
    expect(watcher.news).toEqual(["2 offline", "2 online", "2 offline"]);
  });

  test("is not told again when the resume window of an offline session is over", () => {
    const { connectJson } = start();
    const [watcher, two] = [connectJson(), connectJson()];
    watcher.asks({ type: "watch", id: "2" });
    two.vanishes();
    vi.advanceTimersByTime(RESUME_MS);
    watcher.asks({ type: "ping" });
    expect(watcher.news).toEqual(["2 online", "2 offline"]);
  });

  test("is not told of a session that goes on over another connection", () => {
    const { connectJson, resume } = start();
    const [watcher, two] = [connectJson(), connectJson()];
    watcher.asks({ type: "watch", id: "2" });
    resume(two);
    two.link.onSocketGone(4500, "");
    watcher.asks({ type: "ping" });
    expect(watcher.news).toEqual(["2 online"]);
  });

  test("is told offline, then online, when another client takes over the id", () => {
    const { connectJson } = start();
    const watcher = connectJson();
    connectJson({ id: "alice" });
    watcher.asks({ type: "watch", id: "alice" });
    connectJson({ id: "alice" });
    expect(watcher.news).toEqual(["alice online", "alice offline", "alice online"]);
  });

  test("goes on watching after a resume, and no longer when its own session has ended", () => {
    const { connectJson, resume } = start();
    const watcher = connectJson();
    watcher.asks({ type: "watch", id: "2" });
    watcher.vanishes();
    const back = resume(watcher);
    const two = connectJson();
    back.asks({ type: "ping" });
    expect(back.news).toEqual(["2 offline", "2 online"]);
    back.leaves();
    expect(() => two.leaves()).not.toThrow();
    expect(back.news).toEqual(["2 offline", "2 online"]);
  });

  test("is told nothing any more once it has unwatched; unwatching what is not watched is no error", () => {
    const { connectJson } = start();
    const [watcher, two] = [connectJson(), connectJson()];
    watcher.asks({ type: "watch", id: "2" });
    for (const ackId of [1, 2]) watcher.asks({ type: "unwatch", id: "2", ackId });
    two.leaves();
    watcher.asks({ type: "ping" });
    expect(watcher.all("ack").map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    expect(watcher.news).toEqual(["2 online"]);
  });

  test("is told bad_id for what cannot be an id", () => {
    const { connectJson } = start();
    const watcher = connectJson();
    watcher.asks({ type: "watch", id: "a b", ackId: 1 });
    watcher.asks({ type: "unwatch", id: "", ackId: 2 });
    expect(watcher.all("ack").map(({ error }) => error?.code)).toEqual(["bad_id", "bad_id"]);
    expect(watcher.news).toEqual([]);
  });
});

describe("the members of a room", () => {
  test("are told when another is lost, resumed and ended, in any protocol", () => {
    const { connect, connectJson, resume } = start();
    const [one, two, three] = [connectJson(), connect({ protocol: text }), connectJson()];
    one.asks({ type: "join", room: "lobby" });
    two.says(":join lobby");
    three.asks({ type: "join", room: "lobby" });
    three.vanishes();
    resume(three).leaves();
    one.asks({ type: "ping" });
    expect(one.news.slice(2)).toEqual(["3 offline lobby", "3 online lobby", "3 left lobby"]);
    expect(two.heard.slice(3)).toEqual([":offline 3 lobby", ":online 3 lobby", ":left 3 lobby"]);
  });

  test("are told that a member left when its resume window is over", () => {
    const { connectJson } = start();
    const [one, two] = [connectJson(), connectJson()];
    for (const client of [one, two]) client.asks({ type: "join", room: "lobby" });
    two.vanishes();
    vi.advanceTimersByTime(RESUME_MS);
    one.asks({ type: "ping" });
    expect(one.news).toEqual(["2 joined lobby", "2 offline lobby", "2 left lobby"]);
  });

  test("are told nothing when a session goes on over another connection", () => {
    const { connectJson, resume } = start();
    const [one, two] = [connectJson(), connectJson()];
    for (const client of [one, two]) client.asks({ type: "join", room: "lobby" });
    resume(two);
    one.asks({ type: "ping" });
    expect(one.news).toEqual(["2 joined lobby"]);
  });

  test("are told once for each room that they share with it", () => {
    const { connectJson } = start();
    const [one, two] = [connectJson(), connectJson()];
    for (const room of ["a", "b"]) {
      one.asks({ type: "join", room });
      two.asks({ type: "join", room });
    }
    two.leaves();
    one.asks({ type: "ping" });
    expect(one.news.slice(2)).toEqual(["2 left a", "2 left b"]);
  });
});

test("a client that resumes gets the state of the ids that it watches", () => {
  const { connectJson, resume } = start();
  const [watcher, two, three] = [connectJson(), connectJson(), connectJson()];
  for (const id of ["2", "3"]) watcher.asks({ type: "watch", id });
  watcher.vanishes();
  two.leaves();
  expect(resume(watcher).news).toEqual(["2 offline", "3 online"]);
  expect(three.news).toEqual([]);
});

test("a client that resumes gets missed messages first, then new ones", () => {
  const { connectJson, resume } = start();
  const [one, two] = [connectJson(), connectJson()];
  two.asks({ type: "watch", id: "2" });
  two.vanishes();
  one.sends("2", "missed", 1);
  const back = resume(two);
  one.sends("2", "new", 2);
  expect(back.frames.map(({ type }) => type)).toEqual(["welcome", "message", "presence", "message"]);
});

test("a refused connection is announced to nobody, calls no hook, and uses up no id", async () => {
  const heard: string[] = [];
  const { connectJson } = startJsonRelay({
    limits: { maxConnections: 2 },
    hooks: { onOpen: ({ id }) => heard.push(`open ${id}`), onClose: ({ id }) => heard.push(`close ${id}`) },
    observer: { connected: (id) => heard.push(`connected ${id}`) },
  });
  const watcher = connectJson();
  const alice = connectJson({ id: "alice" });
  watcher.asks({ type: "watch", id: "alice" });
  const refused = connectJson({ id: "alice" });
  const alsoRefused = connectJson({ resume: alice.welcome.resumeToken });
  expect([refused.did, alsoRefused.did]).toEqual([["close 1013"], ["close 1013"]]);
  watcher.sends("alice", "still there?", 1);
  expect(alice.data).toEqual(["still there?"]);
  expect(watcher.news).toEqual(["alice online"]);
  expect(heard).toEqual(["connected 1", "open 1", "connected alice", "open alice"]);
});
