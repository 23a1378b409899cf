import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { text } from "../../../src/core/protocol/text.ts";
import type { RelayOptions } from "../../../src/core/relay-options.ts";
import { type JsonClient, startJsonRelay } from "../json-client.ts";

const WINDOW_MS = 5000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts a relay that drops no connection and ends no absent session during these tests. */
function start(options: RelayOptions = {}) {
  const started = startJsonRelay({ heartbeatMs: 600_000, resumeMs: 600_000, ...options });
  const { turn } = started;
  /** Lets a window end, and its announcements be written. */
  const passWindow = (): void => {
    vi.advanceTimersByTime(WINDOW_MS);
    turn.end();
  };
  return { ...started, passWindow };
}

/** Connects a client that is in the room. */
function joined(client: JsonClient, room = "lobby"): JsonClient {
  client.asks({ type: "join", room });
  return client;
}

function flap(client: JsonClient, times: number, room = "lobby"): void {
  for (let count = 0; count < times; count++) {
    client.asks({ type: "join", room });
    client.asks({ type: "leave", room });
  }
}

function members(client: JsonClient): readonly string[] | undefined {
  client.asks({ type: "members", room: "lobby", ackId: 1 });
  return client.all("ack").at(-1)?.members;
}

describe("a client that joins and leaves a room again and again", () => {
  test("is announced four times immediately, then once per window if its state has changed", () => {
    const { connectJson, passWindow } = start();
    const [member, flapping] = [joined(connectJson()), connectJson()];
    flap(flapping, 100);
    const fourTimes = ["2 joined lobby", "2 left lobby", "2 joined lobby", "2 left lobby"];
    expect(member.news).toEqual(fourTimes);
    passWindow();
    expect(member.news).toEqual(fourTimes);
    passWindow();
    flap(flapping, 2);
    joined(flapping);
    expect(member.news.slice(4)).toEqual(fourTimes);
    passWindow();
    expect(member.news.slice(8)).toEqual(["2 joined lobby"]);
  });

  test("is told no more often in later windows, however long it continues", () => {
    const { connectJson, passWindow } = start();
    const [member, flapping] = [joined(connectJson()), connectJson()];
    for (let windows = 0; windows < 10; windows++) {
      flap(flapping, 10);
      joined(flapping);
      passWindow();
      flapping.asks({ type: "leave", room: "lobby" });
    }
    expect(member.news.length).toBeLessThanOrEqual(4 * 11);
    passWindow();
    expect(member.news.at(-1)).toBe("2 left lobby");
  });

  test("gets every answer immediately, and is a member or not as it asked", () => {
    const { connectJson, connect } = start();
    const [member, flapping, line] = [joined(connectJson()), connectJson(), connect({ protocol: text })];
    flap(flapping, 10);
    joined(flapping);
    expect(members(flapping)).toEqual(["1", "2"]);
    member.asks({ type: "publish", room: "lobby", data: "hi" });
    expect(flapping.data).toEqual(["hi"]);
    for (let times = 0; times < 5; times++) for (const word of ["join", "leave"]) line.says(`:${word} lobby`);
    expect(line.heard.slice(1).length).toBe(10);
    expect(new Set(line.heard.slice(1))).toEqual(new Set([":joined 3 lobby", ":left 3 lobby"]));
  });

  test("costs nothing in a room without others: no window, no timer", () => {
    const { connectJson } = start();
    const client = connectJson();
    const timers = vi.getTimerCount();
    flap(client, 10);
    expect(vi.getTimerCount()).toBe(timers);
  });

  test("is announced immediately when its session ends, and leaves no timer", () => {
    const { connectJson, turn } = start();
    const [member, flapping] = [joined(connectJson()), connectJson()];
    flap(flapping, 10);
    joined(flapping);
    flapping.leaves();
    turn.end();
    expect(member.news.length).toBe(4);
    const other = joined(connectJson());
    other.leaves();
    turn.end();
    expect(member.news.slice(4)).toEqual(["3 joined lobby", "3 left lobby"]);
    vi.advanceTimersByTime(WINDOW_MS);
    member.leaves();
    expect(vi.getTimerCount()).toBe(1);
  });

  test("may join no further room for a while after it joined and left twice as many as it may be in", () => {
    const { connectJson, passWindow } = start({ limits: { maxRoomsPerSession: 2 } });
    const others = [connectJson(), connectJson(), connectJson()];
    for (const [at, other] of others.entries()) for (const room of [`a${at}`, `b${at}`]) joined(other, room);
    const flapping = connectJson();
    for (const room of ["a0", "b0", "a1", "b1"]) flap(flapping, 1, room);
    flapping.asks({ type: "join", room: "a2", ackId: 1 });
    flapping.asks({ type: "join", room: "a0", ackId: 2 });
    flapping.asks({ type: "join", room: "nobody-is-here", ackId: 3 });
    expect(flapping.all("ack").map(({ outcome, error }) => error?.code ?? outcome)).toEqual([
      "rate_limited",
      "done",
      "rate_limited",
    ]);
    passWindow();
    flapping.asks({ type: "join", room: "a2", ackId: 4 });
    expect(flapping.all("ack").at(-1)?.outcome).toBe("done");
  });
});

describe("a session that loses its connection again and again", () => {
  test("is announced four times immediately to its rooms and watchers, and then in its final state", () => {
    const { connectJson, resume, passWindow } = start();
    const member = joined(connectJson());
    member.asks({ type: "watch", id: "2" });
    let flapping = joined(connectJson());
    const before = member.news.length;
    for (let times = 0; times < 10; times++) {
      flapping.vanishes();
      flapping = resume(flapping);
    }
    flapping.vanishes();
    const told = member.news.slice(before);
    expect(told.filter((line) => line.endsWith("lobby")).length).toBe(3);
    expect(told.filter((line) => !line.endsWith("lobby")).length).toBe(3);
    passWindow();
    expect(member.news.slice(-2).sort()).toEqual(["2 offline", "2 offline lobby"]);
    resume(flapping);
    passWindow();
    expect(member.news.slice(-2).sort()).toEqual(["2 online", "2 online lobby"]);
  });

  test("is announced no more often if its id comes from the app and each connection is a new session", () => {
    const { connectJson, passWindow } = start();
    const watcher = connectJson();
    watcher.asks({ type: "watch", id: "alice" });
    joined(watcher);
    for (let times = 0; times < 10; times++) joined(connectJson({ id: "alice" })).leaves();
    expect(watcher.news.filter((line) => line.startsWith("alice o")).length).toBe(1 + 4);
    expect(watcher.news.filter((line) => line.endsWith("lobby")).length).toBe(4);
    joined(connectJson({ id: "alice" }));
    passWindow();
    expect(watcher.news.slice(-2).sort()).toEqual(["alice joined lobby", "alice online"]);
  });

  test("is shown to a new watcher in the state that others know, and later changes are announced to both", () => {
    const { connectJson, resume, passWindow } = start();
    const early = connectJson();
    early.asks({ type: "watch", id: "2" });
    let flapping = connectJson();
    for (let times = 0; times < 3; times++) {
      flapping.vanishes();
      flapping = resume(flapping);
    }
    flapping.vanishes();
    const late = connectJson();
    late.asks({ type: "watch", id: "2" });
    const standing = early.news.at(-1);
    expect(late.news).toEqual([standing]);
    passWindow();
    expect([early.news.at(-1), late.news.at(-1)]).toEqual(["2 offline", "2 offline"]);
  });
});

describe("a session that watches its own id", () => {
  test.each(["is still open", "was lost"])(
    "is told that it is online, once, by a resume while its connection %s",
    (how) => {
      const { connectJson, resume } = start();
      const client = connectJson();
      client.asks({ type: "watch", id: "1", ackId: 1 });
      if (how === "was lost") client.vanishes();
      expect(resume(client).news).toEqual(["1 online"]);
    },
  );
});

describe("whatever clients do, in whatever order", () => {
  type Deed = readonly [client: number, deed: "join" | "leave" | "vanish" | "return" | "ask" | "wait"];

  /** Members that a client knows: from its latest list of members, and from the announcements since. */
  function knownTo(client: JsonClient): string[] {
    let known = new Set<string>();
    for (const frame of client.frames) {
      if (frame.type === "ack" && frame.members !== undefined) known = new Set(frame.members);
      if (frame.type !== "presence" || frame.room === undefined || frame.id === client.welcome.id) continue;
      if (frame.event === "joined") {
        expect(known).not.toContain(frame.id);
        known.add(frame.id);
      }
      if (frame.event === "left") {
        expect(known).toContain(frame.id);
        known.delete(frame.id);
      }
    }
    known.delete(client.welcome.id);
    return [...known].sort();
  }

  test("a member that asked once knows all members in the end, and never hears joined twice without left", () => {
    const deed = fc.constantFrom("join", "leave", "join", "leave", "vanish", "return", "ask", "wait" as const);
    const deeds = fc.array(fc.tuple(fc.nat(3), deed) as fc.Arbitrary<Deed>, { minLength: 10, maxLength: 80 });
    fc.assert(
      fc.property(deeds, (all) => {
        const { connectJson, resume, passWindow } = start();
        const clients = [1, 2, 3, 4].map(() => connectJson());
        const inside = new Set<number>();
        const away = new Set<number>();
        const observer = joined(connectJson());
        members(observer);
        for (const [at, what] of all) {
          const client = clients[at];
          if (client === undefined) continue;
          if (what === "wait") passWindow();
          else if (what === "return" && away.delete(at)) clients[at] = resume(client);
          else if (away.has(at)) continue;
          else if (what === "vanish") {
            away.add(at);
            client.vanishes();
          } else if (what === "join") {
            joined(client);
            if (!inside.has(at)) members(client);
            inside.add(at);
          } else if (what === "leave" && inside.delete(at)) client.asks({ type: "leave", room: "lobby" });
          else if (what === "ask" && inside.has(at)) members(client);
        }
        passWindow();
        passWindow();
        const there = [...inside].map((at) => `${at + 1}`);
        expect(knownTo(observer)).toEqual(there.sort());
        // A client that lost its connection missed announcements, so it asks again.
        for (const at of inside) {
          const client = clients[at];
          if (client === undefined || away.has(at)) continue;
          expect(new Set(members(client))).toEqual(new Set([...there, "5"]));
        }
      }),
      { numRuns: 300 },
    );
  });
});

test("a relay that has shut down leaves no timer of pending announcements", async () => {
  const { relay, connectJson } = start();
  const [, flapping] = [joined(connectJson()), connectJson()];
  flap(flapping, 10);
  const done = relay.shutdown();
  vi.advanceTimersByTime(2000);
  await done;
  expect(vi.getTimerCount()).toBe(0);
});
