import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  badFrame,
  badId,
  duplicate,
  ERROR_CODES,
  forbidden,
  internal,
  mailboxFull,
  noSuchId,
  notInRoom,
  overloaded,
  rateLimited,
  tooLarge,
  tooManyUnacked,
  tooSlow,
} from "../../../../src/core/protocol/errors.ts";

const anyText = fc.string({ unit: "binary", maxLength: 300 });
const breaks = fc.string({ unit: fc.constantFrom("\n", "\r", "\u0000", '"', "\u0085", "\u2028", "\u009b", "\ud83d") });

/** Every error that quotes a client's text. */
const QUOTING = [badId, noSuchId, notInRoom, tooSlow, tooLarge, mailboxFull];

describe("the sentence of an error", () => {
  test("is one short line, whatever the client wrote", () => {
    fc.assert(
      fc.property(fc.oneof(anyText, breaks), (text) => {
        for (const { message } of [...QUOTING.map((error) => error(text)), forbidden(text, "so it is")]) {
          expect(message).toMatch(/^Cannot [^\p{Cc}\u2028\u2029]+$/u);
          expect(Buffer.byteLength(message)).toBeLessThan(600);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("quotes the refused text, cut at 64 characters", () => {
    expect(badId("a b").message).toContain('"a b"');
    for (const error of QUOTING) {
      expect(error("9").message).toContain('"9"');
      expect(error("x".repeat(64)).message).toContain(`"${"x".repeat(64)}"`);
      expect(error("x".repeat(65)).message).toContain(`"${"x".repeat(64)}…"`);
    }
    expect(forbidden("9", "ten is the most").message).toBe('Cannot use "9": ten is the most');
    expect(duplicate(7).message).toContain("7");
    expect(badFrame("it is not JSON").message).toContain("it is not JSON");
  });
});

describe("the subject of an error", () => {
  test("is the id or the room, and a bad one in quotes and on one line", () => {
    for (const error of [noSuchId, notInRoom, tooSlow, tooLarge, mailboxFull]) expect(error("9").subject).toBe("9");
    expect(forbidden("lobby", "").subject).toBe("lobby");
    fc.assert(
      fc.property(fc.oneof(anyText, breaks), (text) => {
        expect(badId(text).subject).toMatch(/^"[^\p{Cc}\u2028\u2029]*"$/u);
      }),
      { numRuns: 500 },
    );
  });

  test("is absent if the error is about the frame", () => {
    for (const { subject } of [badFrame("x"), duplicate(1), rateLimited(), tooManyUnacked(), internal()])
      expect(subject).toBeUndefined();
  });
});

test("the errors are those of docs/protocol.md, and each comes with whether the same frame may succeed later", () => {
  const page = readFileSync(new URL("../../../../docs/protocol.md", import.meta.url), "utf8");
  const section = page.split("\n## Errors\n")[1]?.split("\n## ")[0] ?? "";
  const documented = [...section.matchAll(/^\| `(\w+)` \|.*\| (yes|no) \|$/gm)].map(([, code, temporary]) => ({
    code,
    temporary: temporary === "yes",
  }));
  const about = [...QUOTING.map((error) => error("9")), forbidden("9", ""), overloaded("9")];
  const every = [...about, badFrame("x"), rateLimited(), tooManyUnacked(), duplicate(1), internal()];
  const told = every.map(({ code, temporary }) => ({ code, temporary }));
  const byCode = (one: { code?: string | undefined }, two: { code?: string | undefined }): number =>
    (one.code ?? "").localeCompare(two.code ?? "");
  expect(told.sort(byCode)).toEqual(documented.sort(byCode));
  expect(told.map(({ code }) => code)).toEqual([...ERROR_CODES].sort());
});
