import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toText } from "../../../../src/core/protocol/frame.ts";
import { printable } from "../../../../src/core/protocol/printable.ts";
import { asPrintable } from "../../../printable.ts";
import { anyText } from "../../arbitraries.ts";

const utf8 = new TextEncoder();

/** Returns the text as it is shown, after checking that a string and UTF-8 give the same. */
function shown(text: string): string {
  const [one, other] = [printable(text), printable(utf8.encode(text))].map(toText);
  expect(one).toBe(other);
  return one ?? "";
}

describe("a text among the lines of a terminal", () => {
  test.each([
    ["a tab\tstays", "a tab\tstays"],
    ["one\ntwo\r\nthree\rfour", "one\n\ttwo\n\tthree\n\tfour"],
    ["\v\f\u0085\u2028\u2029", "\n\t".repeat(5)],
    ["\n\r", "\n\t\n\t"],
    ["\u001b[2J\u0007\u0000\u007f", "␛[2J␇␀␡"],
    ["\u009b2J\u0080\u009f", "\ufffd2J\ufffd\ufffd"],
    ["\u00a0é您😀\u2027\u202a", "\u00a0é您😀\u2027\u202a"],
    ["\n7:forged", "\n\t7:forged"],
    ["", ""],
  ])("%j is shown as %j", (text, expected) => {
    expect(shown(text)).toBe(expected);
    expect(asPrintable(text)).toBe(expected);
  });

  test("is shown as docs/protocol.md says; the tab is the only control character that stays", () => {
    const bad = fc.constantFrom(
      ..."\n\r\t\v\f\u0000\u001b\u007f\u0080\u0085\u009f\u00a0\u2027\u2028\u2029\u202aé您😀ab:",
    );
    fc.assert(
      fc.property(fc.oneof(anyText, fc.string({ unit: bad, maxLength: 40 })), (text) => {
        const line = shown(text);
        expect(line).toBe(asPrintable(text));
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the test checks that none of them is left.
        expect(line.replaceAll("\n\t", "")).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
      { numRuns: 5000 },
    );
  });

  test("is unchanged if all its characters are printable", () => {
    const bytes = utf8.encode("hello\t您");
    expect(printable(bytes)).toBe(bytes);
  });
});
