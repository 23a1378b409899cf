import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Envelope } from "../../../../src/core/protocol/envelope.ts";
import { byteLength, Frame, frameBytes, frameText, isLongerThan, toText } from "../../../../src/core/protocol/frame.ts";

const utf8 = new TextEncoder();

describe("the size of a message", () => {
  test.each([
    ["1-byte", "a", 1],
    ["2-byte", "é", 2],
    ["3-byte", "好", 3],
    ["4-byte", "😀", 4],
  ])("is counted in UTF-8 for %s characters, to the byte", (_name, character, bytes) => {
    const text = character.repeat(5);
    expect(isLongerThan(text, 5 * bytes)).toBe(false);
    expect(isLongerThan(text, 5 * bytes - 1)).toBe(true);
    expect(isLongerThan(`${text}a`, 5 * bytes)).toBe(true);
  });

  test("of bytes is the number of bytes", () => {
    expect(isLongerThan(new Uint8Array(7), 7)).toBe(false);
    expect(isLongerThan(new Uint8Array(8), 7)).toBe(true);
  });

  test("of any text is that of its UTF-8, even with half a surrogate pair", () => {
    const anyText = fc.string({ unit: fc.oneof(fc.constantFrom("a", "é", "好", "😀", "\ud83d"), fc.string()) });
    fc.assert(
      fc.property(anyText, fc.integer({ min: -2, max: 2 }), (text, off) => {
        const { length } = utf8.encode(text);
        expect(isLongerThan(text, length + off)).toBe(off < 0);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the text of a frame", () => {
  test("is the same whether it came as a string or as UTF-8", () => {
    expect(toText("您好啊")).toBe("您好啊");
    expect(toText(utf8.encode("您好啊"))).toBe("您好啊");
  });

  test("keeps a byte order mark that the client sent", () => {
    expect(toText(utf8.encode("\ufeffhi"))).toBe("\ufeffhi");
  });

  test("is at least a third of its bytes, in the size that the outbox counts", () => {
    expect(new Frame("好", false).size).toBeGreaterThanOrEqual(1);
    expect(new Frame(utf8.encode("好"), false).size).toBe(3);
  });
});

test.each(["", "a", "é", "您", "😀", "a\u007f\u0080\u07ff\u0800\uffff😀b"])(
  "the length of %j on the wire is that of its UTF-8",
  (text) => {
    expect(byteLength(text)).toBe(utf8.encode(text).length);
    expect(byteLength(utf8.encode(text))).toBe(utf8.encode(text).length);
  },
);

describe("a frame in an envelope", () => {
  const envelope = new Envelope("<", "|", "#", ">");

  test("has its parts between the fixed texts", () => {
    expect(frameText(new Frame("hi", false, envelope, "7", 42))).toBe("<7|hi#42>");
    expect(frameText(new Frame(utf8.encode("好"), false, envelope))).toBe("<|好#0>");
  });

  test("gets its number itself, once, unless it is shared", () => {
    const frame = new Frame("hi", false, envelope, "7");
    const first = frame.numbered(5);
    expect(first).toBe(frame);
    expect(frame.numbered(6)).toEqual(new Frame("hi", false, envelope, "7", 6));
    expect(frameText(first)).toBe("<7|hi#5>");
  });

  test("has its payload at its end if it is binary", () => {
    const bytes = Uint8Array.from([0, 255]);
    const frame = new Frame(bytes, true, new Envelope("<", "", "#", ">"), "7", 42);
    expect(Buffer.from(frameBytes(frame))).toEqual(Buffer.concat([Buffer.from("<7#42>"), bytes]));
    expect(frameBytes(new Frame(bytes, true))).toBe(bytes);
  });

  test("has a size that includes everything but its number", () => {
    expect(new Frame("hi", false, envelope, "7", 42).size).toBe("<7|hi#>".length);
  });

  test("keeps its content under another number, and shares its encoded bytes", () => {
    const frame = new Frame("hi", false, envelope, "7");
    frame.share();
    expect(frame.numbered(5)).toEqual(
      Object.assign(new Frame("hi", false, envelope, "7", 5), { shared: frame.shared }),
    );
    expect(frame.number).toBe(0);
    const { shared } = frame;
    expect(shared).toBeDefined();
    frame.share();
    expect([frame.numbered(6).shared, frame.shared].every((each) => each === shared)).toBe(true);
  });
});
