import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startRelay } from "../fakes.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a connection with an end", () => {
  test("is closed with 4002 when it comes, and its session can be resumed with new terms", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson({ expiresInMs: 10_000 });
    vi.advanceTimersByTime(9_999);
    expect(client.did).not.toContain("close 4002");
    vi.advanceTimersByTime(1);
    expect(client.did).toContain("close 4002");
    const back = connectJson({ resume: client.welcome.resumeToken, expiresInMs: 10_000 });
    expect(back.welcome).toMatchObject({ id: client.welcome.id, resumed: true });
    vi.advanceTimersByTime(10_000);
    expect(back.did).toContain("close 4002");
  });

  test("that was replaced in time does not end the one after it", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson({ expiresInMs: 10_000 });
    const back = connectJson({ resume: client.welcome.resumeToken });
    vi.advanceTimersByTime(20_000);
    expect(client.did).toContain("close 4500");
    expect(back.did).not.toContain("close 4002");
  });

  test("further away than a timer reaches is not closed at once, and leaves no timer when it has gone", () => {
    const { connect } = startRelay();
    const timers = vi.getTimerCount();
    const client = connect({ expiresInMs: 1e15 });
    vi.advanceTimersByTime(1000);
    expect(client.did).toEqual([]);
    client.leaves();
    expect(vi.getTimerCount()).toBe(timers);
  });
});

describe("the grant of a client", () => {
  test("limits the ids that it sends to: any other is forbidden, in use or not", () => {
    const { connectJson } = startJsonRelay();
    const [one] = [connectJson({ grant: { to: ["2", "team-*"] } }), connectJson(), connectJson()];
    const codes = ["2", "3", "9", "team-7", "a b"].map((to, at) => one.sends(to, "x", at)?.error?.code);
    expect(codes).toEqual([undefined, "forbidden", "forbidden", "no_such_id", "bad_id"]);
  });

  test("is matched against valid ids only, so that no long text makes a pattern expensive", () => {
    const { connectJson } = startJsonRelay();
    const patterns = [`*${"a".repeat(100)}b`];
    const tried = vi.spyOn(patterns, "some");
    const one = connectJson({ grant: { to: patterns, rooms: patterns } });
    expect(one.sends("a".repeat(100_000), "x", 1)?.error?.code).toBe("bad_id");
    for (const type of ["join", "publish"] as const) one.asks({ type, room: "a".repeat(100_000), data: 1, ackId: 2 });
    expect(one.all("ack").map(({ error }) => error?.code)).toEqual(["bad_id", "bad_id", "bad_id"]);
    expect(tried).not.toHaveBeenCalled();
  });

  test("limits the rooms that it joins and publishes in", () => {
    const { connectJson, resume } = startJsonRelay();
    const one = connectJson({ grant: { rooms: ["team-*"] } });
    one.asks({ type: "join", room: "team-7", ackId: 1 });
    one.asks({ type: "join", room: "lobby", ackId: 2 });
    one.asks({ type: "publish", room: "team-7", data: 1, ackId: 3 });
    expect(one.all("ack").map(({ outcome, error }) => error?.code ?? outcome)).toEqual([
      "done",
      "forbidden",
      "delivered",
    ]);
    const free = connectJson();
    free.asks({ type: "join", room: "lobby", ackId: 1 });
    free.vanishes();
    expect(resume(free).sends("1", "x", 2)?.outcome).toBe("delivered");
  });

  test("is that of its latest connection", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson();
    client.asks({ type: "join", room: "lobby", ackId: 1 });
    client.vanishes();
    const back = connectJson({ resume: client.welcome.resumeToken, grant: { rooms: [], to: [] } });
    back.asks({ type: "publish", room: "lobby", data: 1, ackId: 2 });
    expect(back.all("ack").at(-1)?.error?.code).toBe("forbidden");
    expect(back.sends("1", "x", 3)?.error?.code).toBe("forbidden");
  });

  test("removes it from rooms that its next connection may not use: their members and the client hear left", () => {
    const { turn, connectJson } = startJsonRelay();
    const [client, other] = [connectJson(), connectJson()];
    for (const room of ["team-7", "lobby"]) for (const one of [client, other]) one.asks({ type: "join", room });
    client.vanishes();
    turn.end();
    const before = other.news.length;
    const back = connectJson({ resume: client.welcome.resumeToken, grant: { rooms: ["team-*"] } });
    expect(back.news).toEqual(["1 left lobby"]);
    expect(other.news.slice(before)).toEqual(["1 left lobby", "1 online team-7"]);
    other.asks({ type: "publish", room: "lobby", data: "for lobby" });
    other.asks({ type: "publish", room: "team-7", data: "for the team" });
    expect(back.data).toEqual(["for the team"]);
    other.asks({ type: "members", room: "lobby", ackId: 1 });
    expect(other.all("ack").at(-1)?.members).toEqual(["2"]);
    back.vanishes();
    const wide = connectJson({ resume: back.welcome.resumeToken });
    wide.asks({ type: "join", room: "lobby", ackId: 1 });
    expect(wide.all("ack").at(-1)?.outcome).toBe("done");
  });

  test("removes it from such rooms even if its former connection is still open", () => {
    const { connectJson } = startJsonRelay();
    const [client, other] = [connectJson(), connectJson()];
    for (const one of [client, other]) one.asks({ type: "join", room: "lobby" });
    const before = other.news.length;
    const back = connectJson({ resume: client.welcome.resumeToken, grant: { rooms: [] } });
    expect([back.news, other.news.slice(before)]).toEqual([["1 left lobby"], ["1 left lobby"]]);
  });
});
