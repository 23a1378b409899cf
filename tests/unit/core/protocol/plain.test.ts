import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame, type Payload } from "../../../../src/core/frame.ts";
import { plain, plainFrom } from "../../../../src/core/protocol/plain.ts";
import type { Command } from "../../../../src/core/protocol/protocol.ts";

const utf8 = new TextEncoder();
const anyId = fc.string({
  unit: fc.constantFrom(..."ABCXYZabcxyz0123456789._~-"),
  minLength: 1,
  maxLength: 64,
});
/** Every well-formed text: UTF-8 has no other. */
const anyText = fc.string({ unit: "binary", maxLength: 100 });
const anyBytes = fc.uint8Array({ maxLength: 100 });

function decode(payload: Payload, binary = typeof payload !== "string"): Command {
  return plain.decode(new Frame(payload, binary));
}

/** What a command says, whatever its message's payload is made of. */
function readable(command: Command): object {
  if (command.type === "refused") return command;
  const { payload } = command.message;
  return { to: command.to, bytes: Buffer.from(payload).toString("hex") };
}

describe("a frame id:message", () => {
  test.each([
    ["2:hi", "2", "hi"],
    ["2:", "2", ""],
    ["2::", "2", ":"],
    ["2:a:b", "2", "a:b"],
    ["2: spaced ", "2", " spaced "],
    ["2:1\n2", "2", "1\n2"],
    ["a.b_c~d-9:x", "a.b_c~d-9", "x"],
    [`${"x".repeat(64)}:y`, "x".repeat(64), "y"],
  ])("%j goes to %j", (frame, to, message) => {
    expect(decode(frame)).toEqual({ type: "send", to, message: new Frame(message, false) });
    expect(decode(utf8.encode(frame))).toEqual({ type: "send", to, message: new Frame(utf8.encode(message), true) });
  });

  test("survives whole, any id with any text, as a string and as UTF-8", () => {
    fc.assert(
      fc.property(anyId, anyText, (id, text) => {
        const frame = `${id}:${text}`;
        expect(decode(frame)).toEqual({ type: "send", to: id, message: new Frame(text, false) });
        const asBytes = decode(utf8.encode(frame), false);
        expect(asBytes).toEqual({ type: "send", to: id, message: new Frame(utf8.encode(text), false) });
      }),
      { numRuns: 3000 },
    );
  });

  test("survives whole, any id with any bytes", () => {
    fc.assert(
      fc.property(anyId, anyBytes, (id, bytes) => {
        const command = decode(new Uint8Array([...utf8.encode(`${id}:`), ...bytes]));
        expect(command).toEqual({ type: "send", to: id, message: new Frame(bytes, true) });
      }),
      { numRuns: 1000 },
    );
  });
});

describe("whatever a client sends", () => {
  // Colons are rare in random text.
  const frames = fc.oneof(
    anyText,
    fc.string({ unit: fc.constantFrom(":", "1", "é", "好", "\ufeff", "\n"), maxLength: 80 }),
  );
  const halfSurrogates = fc.string({ unit: fc.constantFrom(":", "1", "\ud83d", "\ude00"), maxLength: 80 });

  test("is a command, never an exception, and a refusal of one short line", () => {
    const anything = fc.oneof(
      frames,
      halfSurrogates,
      anyBytes,
      frames.map((text) => utf8.encode(text)),
    );
    fc.assert(
      fc.property(anything, (payload) => {
        const command = decode(payload);
        if (command.type === "send") {
          expect(command.to.length).toBeGreaterThan(0);
          return;
        }
        const line = plain.encode({ type: "error", error: command.error });
        expect(line.binary).toBe(false);
        expect(line.payload).toMatch(/^:error (bad_frame|bad_id) [^\r\n]+$/);
        expect(Buffer.byteLength(String(line.payload))).toBeLessThan(500);
      }),
      { numRuns: 3000 },
    );
  });

  test("reads the same as a string and as UTF-8, behind an address of ASCII", () => {
    const address = fc.string({ unit: fc.constantFrom("1", "a", " ", "#", "\n", "-"), maxLength: 80 });
    const frame = fc.tuple(address, fc.constantFrom("", ":"), frames).map((parts) => parts.join(""));
    const ascii = frame.filter((text) => /^[\0-\x7f]*$/.test(text.split(":")[0] ?? ""));
    fc.assert(
      fc.property(ascii, (text) => {
        expect(readable(decode(utf8.encode(text)))).toEqual(readable(decode(text)));
      }),
      { numRuns: 2000 },
    );
  });

  test("names the same recipient as a string and as UTF-8, up to 64 bytes", () => {
    const address = fc.string({ unit: fc.constantFrom("1", "é", "好", "😀", "\ufeff"), minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(address, (id) => {
        expect(decode(utf8.encode(`${id}:x`))).toMatchObject({ type: "send", to: id });
      }),
      { numRuns: 1000 },
    );
  });

  test("is refused as bad_frame where no id stands before a colon, and as bad_id where more than 64 characters do", () => {
    for (const text of ["", "hi", ":", ":hi", "x".repeat(100)]) {
      expect(decode(text)).toMatchObject({ type: "refused", error: { code: "bad_frame" } });
      expect(decode(utf8.encode(text))).toMatchObject({ type: "refused", error: { code: "bad_frame" } });
    }
    for (const text of [`${"x".repeat(65)}:`, `${"x".repeat(1000)}:hi`]) {
      expect(decode(text)).toMatchObject({ type: "refused", error: { code: "bad_id" } });
      expect(decode(utf8.encode(text))).toEqual(decode(text));
    }
  });
});

test("a byte order mark before an id of any length makes it another id, in bytes as in text", () => {
  for (const id of ["1", "123456"]) {
    expect(decode(utf8.encode(`\ufeff${id}:x`))).not.toMatchObject({ to: id });
    expect(decode(`\ufeff${id}:x`)).not.toMatchObject({ to: id });
  }
});

describe("a delivery", () => {
  test("is the message alone, or with ?from=1 behind its sender, text or bytes", () => {
    fc.assert(
      fc.property(anyId, fc.oneof(anyText, anyBytes), fc.boolean(), (from, payload, binary) => {
        const message = new Frame(payload, binary);
        expect(plain.encode({ type: "message", from, message })).toBe(message);
        const named = plainFrom.encode({ type: "message", from, message });
        expect(named.binary).toBe(binary);
        expect(Buffer.from(named.payload)).toEqual(Buffer.concat([Buffer.from(`${from}:`), Buffer.from(payload)]));
      }),
      { numRuns: 500 },
    );
  });

  test("of an error is the same line with and without senders", () => {
    const error = { code: "no_such_id", message: "Cannot send", temporary: false } as const;
    for (const protocol of [plain, plainFrom]) {
      expect(protocol.encode({ type: "error", error })).toEqual(new Frame(":error no_such_id Cannot send", false));
    }
  });
});
