import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Rooms } from "../../../../src/core/directory/rooms.ts";
import type { Session } from "../../../../src/core/session/session.ts";
import { fakeSession } from "../../fakes.ts";

let three: Session;
let seven: Session;

beforeEach(() => {
  vi.useFakeTimers();
  [three, seven] = [fakeSession("3"), fakeSession("7")];
});
afterEach(() => {
  vi.useRealTimers();
});

function idsIn(rooms: Rooms, name: string): string[] {
  return Array.from(rooms.members(name), ({ id }) => id);
}

test("members are in order of joining, and a member that joins again keeps its place", () => {
  const rooms = new Rooms();
  for (const session of [seven, three, seven]) expect(rooms.join("lobby", session)).toBe("lobby");
  expect(idsIn(rooms, "lobby")).toEqual(["7", "3"]);
});

test("a room vanishes with its last member, and a room that does not exist has no members", () => {
  const rooms = new Rooms();
  rooms.join("lobby", three);
  rooms.join("lobby", seven);
  expect(rooms.leave("lobby", three)).toBe(true);
  expect([rooms.size, idsIn(rooms, "lobby")]).toEqual([1, ["7"]]);
  expect(rooms.leave("lobby", seven)).toBe(true);
  expect([rooms.size, idsIn(rooms, "lobby")]).toEqual([0, []]);
  expect(rooms.leave("lobby", seven)).toBe(false);
});

test("a session that leaves a room does not remove another member", () => {
  const rooms = new Rooms();
  rooms.join("lobby", three);
  expect(rooms.leave("lobby", seven)).toBe(false);
  expect(idsIn(rooms, "lobby")).toEqual(["3"]);
});

test("only a member sees the members", () => {
  const rooms = new Rooms();
  rooms.join("lobby", three);
  expect([...(rooms.membersFor("lobby", three) ?? [])]).toEqual([three]);
  expect(rooms.membersFor("lobby", seven)).toBeUndefined();
  expect(rooms.membersFor("attic", three)).toBeUndefined();
});

test.each(["constructor", "__proto__"])("a room may be called %s", (name) => {
  const rooms = new Rooms();
  expect(idsIn(rooms, name)).toEqual([]);
  expect(rooms.join(name, three)).toBe(name);
  expect(idsIn(rooms, name)).toEqual(["3"]);
});
