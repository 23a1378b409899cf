import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DEFAULT_LIMITS } from "../../../src/core/limits.ts";
import type { RelayEvent } from "../../../src/core/protocol/protocol.ts";
import { Registry } from "../../../src/core/registry.ts";
import { Rooms } from "../../../src/core/rooms.ts";
import { Router } from "../../../src/core/router.ts";
import type { Session } from "../../../src/core/session.ts";
import { Watchers } from "../../../src/core/watchers.ts";
import { FakeConnection, fakeSession } from "../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A session that keeps what it is told. */
function watcher(id: string): { session: Session; told: RelayEvent[] } {
  const told: RelayEvent[] = [];
  const session = fakeSession(id);
  session.tell = (event) => told.push(event);
  return { session, told };
}

test("who watches an id is told whether it has a connection, once, however often it asked to watch", () => {
  const watchers = new Watchers();
  const [one, two, other] = [watcher("1"), watcher("2"), watcher("3")];
  watchers.watch("7", one.session);
  watchers.watch("7", one.session);
  watchers.watch("7", two.session);
  watchers.watch("8", other.session);
  const seven = fakeSession("7");
  watchers.tell(seven);
  seven.attach(new FakeConnection(), {});
  watchers.tell(seven);
  const presence = { type: "presence", id: "7", room: undefined };
  const expected = [
    { ...presence, event: "offline" },
    { ...presence, event: "online" },
  ];
  expect([one.told, two.told, other.told]).toEqual([expected, expected, []]);
});

test("who watches no longer is told nothing, and nothing is kept of an id that nobody watches", () => {
  const watchers = new Watchers();
  const [one, two] = [watcher("1"), watcher("2")];
  watchers.watch("7", one.session);
  watchers.watch("7", two.session);
  watchers.unwatch("7", one.session);
  watchers.unwatch("8", two.session);
  expect(watchers.size).toBe(1);
  watchers.tell(fakeSession("7"));
  expect([one.told.length, two.told.length]).toEqual([0, 1]);
  watchers.unwatch("7", two.session);
  expect(watchers.size).toBe(0);
});

test("a session that has ended watches nobody", () => {
  const watchers = new Watchers();
  const parts = { registry: new Registry(), rooms: new Rooms(), watchers, limits: DEFAULT_LIMITS, hooks: {} };
  const router = new Router(parts);
  const { session } = watcher("1");
  for (const id of ["7", "8"]) router.route(session, { type: "watch", id, ackId: undefined });
  expect(watchers.size).toBe(2);
  router.forget(session);
  expect(watchers.size).toBe(0);
});
