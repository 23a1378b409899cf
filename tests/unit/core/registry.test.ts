import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { plain } from "../../../src/core/protocol/plain.ts";
import { Registry } from "../../../src/core/registry.ts";
import { Session } from "../../../src/core/session.ts";
import { FakeConnection, FakeTurn, fakeCare } from "../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function session(id: string): Session {
  const relay = { care: fakeCare(new FakeTurn()), observer: {}, route: () => {}, left: () => {} };
  return new Session(id, plain, new FakeConnection(), relay);
}

test("ids are 1, 2, 3 … in order, whoever has left in between", () => {
  const registry = new Registry();
  const first = session(registry.nextId());
  registry.add(first);
  registry.remove(first);
  expect([first.id, registry.nextId(), registry.nextId()]).toEqual(["1", "2", "3"]);
});

test("a session is found by its id until it is removed", () => {
  const registry = new Registry();
  const seven = session("7");
  registry.add(seven);
  expect(registry.find("7")).toBe(seven);
  expect(registry.find("07")).toBeUndefined();
  expect(registry.size).toBe(1);
  registry.remove(seven);
  expect(registry.find("7")).toBeUndefined();
  expect(registry.size).toBe(0);
});

test.each(["constructor", "__proto__"])("nobody is found under %s", (id) => {
  expect(new Registry().find(id)).toBeUndefined();
});

test("a session that goes late does not free the id of the one that has it now", () => {
  const registry = new Registry();
  const stale = session("7");
  const present = session("7");
  registry.add(stale);
  registry.add(present);
  registry.remove(stale);
  expect(registry.find("7")).toBe(present);
});
