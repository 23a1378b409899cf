import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isGranted } from "../../../../src/core/session/grant.ts";

describe("a name is granted", () => {
  test.each([
    [undefined, "anything", true],
    [[], "anything", false],
    [["lobby"], "lobby", true],
    [["lobby"], "lobby2", false],
    [["team-*"], "team-7", true],
    [["team-*"], "team-", true],
    [["team-*"], "tea", false],
    [["*-7"], "team-7-7", true],
    [["a*b*c"], "axxbyyc", true],
    [["a*b*c"], "axxcyyb", false],
    [["x", "*"], "anything", true],
    [["a.c"], "abc", false],
    [["**"], "", true],
  ])("by %j: %s is %s", (patterns, name, granted) => {
    expect(isGranted(patterns, name)).toBe(granted);
  });

  test("exactly if a regular expression of the same pattern matches", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
    fc.assert(
      fc.property(letters, letters, (pattern, name) => {
        const expression = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
        expect(isGranted([pattern], name)).toBe(expression.test(name));
      }),
      { numRuns: 2000 },
    );
  });

  test("in a short time, whatever the pattern", () => {
    expect(isGranted([`${"*a".repeat(500)}b`], "a".repeat(64))).toBe(false);
  });
});
