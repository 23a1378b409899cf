import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Registry } from "../../../../src/core/directory/registry.ts";
import { fakeSession } from "../../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("ids are 1, 2, 3 … in order, whoever has left in between", () => {
  const registry = new Registry();
  const first = fakeSession(registry.nextId());
  registry.add(first);
  registry.remove(first);
  expect([first.id, registry.nextId(), registry.nextId()]).toEqual(["1", "2", "3"]);
});

test("each number has the prefix", () => {
  const registry = new Registry("sequential", "here-");
  registry.add(fakeSession("here-1"));
  expect([registry.nextId(), registry.nextId()]).toEqual(["here-2", "here-3"]);
});

test("an id from the app is skipped", () => {
  const registry = new Registry();
  const theirs = fakeSession("2");
  registry.add(theirs);
  registry.add(fakeSession("alice"));
  expect([registry.nextId(), registry.nextId()]).toEqual(["1", "3"]);
});

test("a session is found by its id until it is removed", () => {
  const registry = new Registry();
  const seven = fakeSession("7");
  registry.add(seven);
  expect(registry.find("7")).toBe(seven);
  expect(registry.find("07")).toBeUndefined();
  expect(registry.size).toBe(1);
  registry.remove(seven);
  expect(registry.find("7")).toBeUndefined();
  expect(registry.size).toBe(0);
});

test.each(["constructor", "__proto__"])("no session is found under %s", (id) => {
  expect(new Registry().find(id)).toBeUndefined();
});

test("a session that ends late does not free the id of the session that has it now", () => {
  const registry = new Registry();
  const stale = fakeSession("7");
  const present = fakeSession("7");
  registry.add(stale);
  registry.add(present);
  registry.remove(stale);
  expect(registry.find("7")).toBe(present);
});

const MINE = "0123abcd-";
const FIVE_MINUTES = 300_000;

test.each([
  ["sequential", "", false, []],
  ["sequential", MINE, false, ["89abcdef-7"]],
  ["random", MINE, false, ["89abcdef-7", "7", "alice", "89abcdef-07"]],
  ["random", "", false, []],
  ["sequential", MINE, true, ["89abcdef-7", "7", "alice", "89abcdef-07"]],
  ["sequential", "", true, ["89abcdef-7", "7", "alice", "89abcdef-07", `${MINE}1`, `${MINE}9`]],
] as const)(
  "with %s ids, the prefix %j and names brought along: %j, an earlier process may have given %j",
  (kind, prefix, takesNames, expected) => {
    const registry = new Registry(kind, prefix);
    if (takesNames) registry.markNamesInUse();
    const ids = ["89abcdef-7", "7", "alice", "89abcdef-07", `${MINE}1`, `${MINE}9`];
    expect(ids.filter((id) => registry.mayReturn(id))).toEqual(expected);
    vi.advanceTimersByTime(FIVE_MINUTES + 1);
    expect(ids.filter((id) => registry.mayReturn(id))).toEqual([]);
  },
);
