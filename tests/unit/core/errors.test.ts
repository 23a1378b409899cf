import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { badFrame, badId, noSuchId, tooSlow } from "../../../src/core/errors.ts";

const anyText = fc.string({ unit: "binary", maxLength: 300 });

describe("the sentence of an error", () => {
  test("is one short line, whatever the client wrote", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.string({ unit: fc.constantFrom("\n", "\r", "\u0000", '"') })), (text) => {
        for (const { message } of [badId(text), noSuchId(text), tooSlow(text)]) {
          expect(message).not.toMatch(/[\r\n]/);
          expect(Buffer.byteLength(message)).toBeLessThan(500);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("quotes what was refused, cut at 64 characters", () => {
    expect(badId("a b").message).toContain('"a b"');
    expect(noSuchId("9").message).toContain('"9"');
    expect(tooSlow("9").message).toContain('"9"');
    expect(badId("x".repeat(64)).message).toContain(`"${"x".repeat(64)}"`);
    expect(badId("x".repeat(65)).message).toContain(`"${"x".repeat(64)}…"`);
  });

  test("comes with whether the same frame may succeed later", () => {
    expect([badFrame(), badId(""), noSuchId("9")].map(({ temporary }) => temporary)).toEqual([false, false, false]);
    expect(tooSlow("9").temporary).toBe(true);
  });
});
