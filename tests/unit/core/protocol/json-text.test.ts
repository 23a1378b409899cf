import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type JsonFault, MAX_DEPTH, readObject, stringOf } from "../../../../src/core/protocol/json-text.ts";
import { anyJson, mutated } from "../../arbitraries.ts";

/** Returns the object's fields as the reader reports them, each value read by `JSON.parse`. */
function read(text: string): { fault: JsonFault | undefined; fields: Record<string, unknown> } {
  const entries: [string, unknown][] = [];
  const fault = readObject(text, (name, start, end) => entries.push([name, JSON.parse(text.slice(start, end))]));
  return { fault, fields: Object.fromEntries(entries) };
}

/** Returns the object that `JSON.parse` reads; `undefined` if the text is not a JSON object. */
function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function nested(depth: number, [open, close]: readonly [string, string]): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

const NESTINGS = [
  ["arrays", ["[", "]"]],
  ["objects", ['{"a":', "}"]],
  ["both", ['[{"a":', "}]"]],
] as const;

describe("the reader agrees with JSON.parse", () => {
  const anyObject = fc.dictionary(fc.string({ unit: "binary", maxLength: 8 }), anyJson);
  const objects = anyObject.map((value) => JSON.stringify(value));
  const indented = anyObject.map((value) => `\r\n\t ${JSON.stringify(value, undefined, "\t")} `);
  const pieces = fc.constantFrom(
    ...'{}[]:,"\\ \t\n\u0000 \u00a0\ufeff-+.eE0123456789',
    ...[
      "null",
      "true",
      "false",
      '"a"',
      '"\\u00e9"',
      '"\\ud83d"',
      '"\\x"',
      '"\\u12g4"',
      '"\u001f"',
      "1e5",
      "0.5",
      "01",
      "-0",
    ],
    ...['{"a":', '"b":1', "[1,", "{}", "[]"],
  );
  const soup = fc.array(pieces, { maxLength: 12 }).map((found) => `{"a":${found.join("")}}`);

  test.each([
    ["an object", objects],
    ["an indented object", indented],
    ["a damaged object", mutated(fc.oneof(objects, indented))],
    ["pieces of JSON", soup],
    ["damaged pieces of JSON", mutated(soup)],
  ])("on %s", (_what, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const expected = parse(text);
        const { fault, fields } = read(text);
        if (fault === "beyond a double") expect(text).toMatch(/[eE]\+?\d{3}|\d{309}/);
        else expect(fault).toBe(expected === undefined ? "malformed" : undefined);
        // The reader reports a name over 64 characters as an empty one.
        if (fault === undefined) expect(fields).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test("on two fields of one name: the later counts", () => {
    expect(read('{"a":1,"\\u0061":2}').fields).toEqual({ a: 2 });
  });
});

test("names in nested objects are not reported, nor names longer than any field of a frame", () => {
  expect(read(`{"a":{"b":1},"c":[{"d":2}],"${"x".repeat(63)}":3}`).fields).toEqual({
    a: { b: 1 },
    c: [{ d: 2 }],
    "": 3,
  });
});

describe("nesting", () => {
  test.each(NESTINGS)("of %s is accepted up to the limit, anywhere in the frame", (_what, brackets) => {
    const levels = Math.floor((MAX_DEPTH - 1) / (brackets[0].match(/[[{]/g)?.length ?? 1));
    expect(read(`{"a":${nested(levels, brackets)},"b":2}`)).toMatchObject({ fault: undefined, fields: { b: 2 } });
    expect(read(`{"a":${nested(MAX_DEPTH, brackets)},"b":2}`)).toMatchObject({ fault: "too deep", fields: { b: 2 } });
    expect(read(`{"b":2,"a":${nested(10_000, brackets)}}`)).toMatchObject({ fault: "too deep", fields: { b: 2 } });
  });

  test("does not count brackets in strings, nor levels that were closed", () => {
    expect(read(`{"a":"${"[{".repeat(1000)}","b":[${"[],".repeat(1000)}"]"]}`).fault).toBeUndefined();
  });

  test("that never ends is malformed", () => {
    for (const text of [
      `{"a":${"[".repeat(1000)}`,
      `{"a":${nested(1000, ["[", "]"])}`,
      `{"a":${nested(1000, ['["', '"]'])}`,
    ]) {
      expect(read(text).fault).toBe("malformed");
    }
  });
});

describe("a number", () => {
  test.each([
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "1e-400",
    "9".repeat(308),
    "1e0000308",
    "0e999",
    "1E+2",
  ])("%s is within a double", (number) => {
    expect(read(`{"a":[${number}],"b":2}`)).toMatchObject({ fault: undefined, fields: { b: 2 } });
  });

  test.each(["1e309", "1e400", "-1e400", "1.8e308", "9".repeat(309), "1E+400", `${"1".repeat(300)}e99`])(
    "%s is beyond one, and the other fields are told all the same",
    (number) => {
      expect(read(`{"a":[${number}],"b":2}`)).toMatchObject({ fault: "beyond a double", fields: { b: 2 } });
    },
  );

  test("in a string is text", () => {
    expect(read('{"a":"1e400","1e400":[" 1e400,"]}').fault).toBeUndefined();
  });
});

test.each(["", "a", '\u0000\u001f"\\/\b', "é您😀", "\ud83d"])("the text of the string %j reads back", (text) => {
  expect(stringOf(JSON.stringify(text))).toBe(text);
});
