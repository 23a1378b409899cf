import { expect, test } from "vitest";
import { Watchers } from "../../../../src/core/directory/watchers.ts";
import { fakeSession } from "../../fakes.ts";

test("a session watches an id once, however often it asked to", () => {
  const watchers = new Watchers();
  const [one, two, other] = [fakeSession("1"), fakeSession("2"), fakeSession("3")];
  watchers.watch("7", one);
  watchers.watch("7", one);
  watchers.watch("7", two);
  watchers.watch("8", other);
  expect([...watchers.of("7")]).toEqual([one, two]);
  expect([...watchers.of("9")]).toEqual([]);
});

test("an id without watchers is forgotten", () => {
  const watchers = new Watchers();
  const [one, two] = [fakeSession("1"), fakeSession("2")];
  watchers.watch("7", one);
  watchers.watch("7", two);
  watchers.unwatch("7", one);
  watchers.unwatch("8", two);
  expect(watchers.size).toBe(1);
  expect([...watchers.of("7")]).toEqual([two]);
  watchers.unwatch("7", two);
  expect(watchers.size).toBe(0);
});
