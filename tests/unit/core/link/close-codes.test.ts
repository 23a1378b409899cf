import { describe, expect, test } from "vitest";
import { CLOSE_CODES } from "../../../../src/core/link/close-codes.ts";

describe.each(Object.values(CLOSE_CODES))("the close code $code", ({ code, reason, reconnect }) => {
  test("has a reason that fits into a close frame", () => {
    expect(reason).not.toBe("");
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });

  test("tells by its number whether to reconnect, if it is one of the relay's own", () => {
    const isOwn = code >= 4000 && code <= 4999;
    if (isOwn) expect(reconnect).toBe(code < 4500);
    else expect([1001, 1008, 1009, 1011, 1012, 1013]).toContain(code);
  });
});

test("no two reasons to close share a code", () => {
  const codes = Object.values(CLOSE_CODES).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
});
