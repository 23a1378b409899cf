import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBase64, toBase64 } from "../../../../src/core/protocol/base64.ts";

describe("bytes in base64", () => {
  // RFC 4648 §10.
  test.each([
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
    ["fooba", "Zm9vYmE="],
    ["foobar", "Zm9vYmFy"],
  ])("are for %j %j", (text, base64) => {
    expect(toBase64(new TextEncoder().encode(text))).toBe(base64);
    expect(fromBase64(base64)).toEqual(new TextEncoder().encode(text));
  });

  test("survive whole, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const base64 = toBase64(bytes);
        expect(base64).toBe(Buffer.from(bytes).toString("base64"));
        expect(fromBase64(base64)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([8191, 8192, 8193, 1_048_576])("survive whole at a length of %i", (length) => {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 7);
    expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
    expect(Buffer.compare(fromBase64(toBase64(bytes)) ?? new Uint8Array(), bytes)).toBe(0);
  });
});

describe("text that is not base64", () => {
  test.each(["Zg=", "Zg===", "Z", "Zg==Zg==", "Zm9v!", "Zm9-", "Zm9_", "é", "=", "{}"])("%j has no bytes", (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });

  test("never throws, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."Zm9v=!- \né\ud83d"), maxLength: 40 }), (text) => {
        const bytes = fromBase64(text);
        if (bytes !== undefined) expect(bytes).toBeInstanceOf(Uint8Array);
      }),
      { numRuns: 2000 },
    );
  });
});
