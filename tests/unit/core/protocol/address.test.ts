import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { payloadFrom, readAddress } from "../../../../src/core/protocol/address.ts";
import { toText } from "../../../../src/core/protocol/frame.ts";
import { anyBytes, anyId, anyText } from "../../arbitraries.ts";

const utf8 = new TextEncoder();

describe("an address", () => {
  test.each([
    ["2:hi", "2", 2],
    ["2:", "2", 2],
    [":hi", "", 1],
    ["2::x", "2", 2],
    ["#lobby:hi", "#lobby", 7],
    ["x".repeat(64).concat(":"), "x".repeat(64), 65],
  ])("of %j is %j", (frame, text, messageStart) => {
    expect(readAddress(frame)).toEqual({ text, messageStart });
    expect(readAddress(utf8.encode(frame))).toEqual({ text, messageStart });
  });

  test.each(["", "hi", "你好", "x".repeat(1000)])("is not in %j", (frame) => {
    expect(readAddress(frame)).toBeUndefined();
    expect(readAddress(utf8.encode(frame))).toBeUndefined();
  });

  test("that is too long is cut but stays too long, and its message still begins after the colon", () => {
    const frame = `${"x".repeat(100_000)}:hi`;
    for (const payload of [frame, utf8.encode(frame)]) {
      expect(readAddress(payload)).toEqual({ text: "x".repeat(65), messageStart: 100_001 });
      expect(readAddress(payload, 10)).toEqual({ text: "x".repeat(11), messageStart: 100_001 });
    }
  });

  test("reads the same in UTF-8 as in a string, any id before any text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyId,
          anyText.map((text) => text.slice(0, 20)),
        ),
        anyText,
        (id, text) => {
          const frame = `${id}:${text}`;
          const asText = readAddress(frame, 1000);
          const asBytes = readAddress(utf8.encode(frame), 1000);
          expect(asBytes?.text).toBe(asText?.text);
          const rest = [
            payloadFrom(frame, asText?.messageStart ?? 0),
            payloadFrom(utf8.encode(frame), asBytes?.messageStart ?? 0),
          ];
          expect(rest.map(toText)).toEqual([rest[0], rest[0]]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("of bytes that are not UTF-8 never throws, and never hides the colon", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const colon = bytes.indexOf(0x3a);
        const address = readAddress(bytes);
        expect(address?.messageStart).toBe(colon < 0 ? undefined : colon + 1);
      }),
      { numRuns: 2000 },
    );
  });
});

test("the message behind an address is not copied", () => {
  const bytes = utf8.encode("2:hello");
  const message = payloadFrom(bytes, 2);
  bytes[2] = 0x48;
  expect(toText(message)).toBe("Hello");
});
