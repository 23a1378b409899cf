import { expect, test } from "vitest";
import { isId } from "../../../../src/core/protocol/id.ts";

test.each(["1", "01", "A.b_c~d-9", "x".repeat(64)])("%j can be an id", (text) => {
  expect(isId(text)).toBe(true);
});

test.each(["", "a b", "a:b", "#lobby", "é", "1\n", "\n1", "x".repeat(65), "１"])("%j cannot be an id", (text) => {
  expect(isId(text)).toBe(false);
});
