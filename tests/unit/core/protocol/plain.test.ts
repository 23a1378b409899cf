import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame, type Payload } from "../../../../src/core/protocol/frame.ts";
import { Message } from "../../../../src/core/protocol/message.ts";
import { plain, plainFrom } from "../../../../src/core/protocol/plain.ts";
import type { Command, RelayEvent } from "../../../../src/core/protocol/protocol.ts";

const utf8 = new TextEncoder();
const anyId = fc.string({
  unit: fc.constantFrom(..."ABCXYZabcxyz0123456789._~-"),
  minLength: 1,
  maxLength: 64,
});
/** Any well-formed text: UTF-8 cannot encode other text. */
const anyText = fc.string({ unit: "binary", maxLength: 100 });
const anyBytes = fc.uint8Array({ maxLength: 100 });
const KINDS = ["text", "json", "bytes"] as const;

function decode(payload: Payload, binary = typeof payload !== "string"): Command {
  return plain.decode(new Frame(payload, binary));
}

/** Returns the content of a command, in the same form for a payload of text and of bytes. */
function readable(command: Command): object {
  if (command.type !== "send") return command;
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
    expect(decode(frame)).toEqual({ type: "send", to, message: new Message(message, "text"), ackId: undefined });
    const inBytes = new Message(utf8.encode(message), "bytes");
    expect(decode(utf8.encode(frame))).toEqual({ type: "send", to, message: inBytes, ackId: undefined });
  });

  test("survives whole, any id with any text, as a string and as UTF-8", () => {
    fc.assert(
      fc.property(anyId, anyText, (id, text) => {
        const frame = `${id}:${text}`;
        expect(decode(frame)).toEqual({ type: "send", to: id, message: new Message(text, "text"), ackId: undefined });
        const message = new Message(utf8.encode(text), "text");
        expect(decode(utf8.encode(frame), false)).toEqual({ type: "send", to: id, message, ackId: undefined });
      }),
      { numRuns: 3000 },
    );
  });

  test("survives whole, any id with any bytes", () => {
    fc.assert(
      fc.property(anyId, anyBytes, (id, bytes) => {
        const command = decode(new Uint8Array([...utf8.encode(`${id}:`), ...bytes]));
        expect(command).toEqual({ type: "send", to: id, message: new Message(bytes, "bytes"), ackId: undefined });
      }),
      { numRuns: 1000 },
    );
  });
});

describe("whatever a client sends", () => {
  // Colons are rare in random text, so one is added.
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
        if (command.type !== "refused") throw new Error(`A plain frame was read as ${command.type}`);
        const line = plain.encode({ type: "error", error: command.error });
        expect(line).toMatchObject({ binary: false, payload: expect.stringMatching(/^:error bad_frame [^\r\n]+$/) });
        expect(line?.size).toBeLessThan(500);
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

  test("that is a command is refused with the name of the protocol that has commands", () => {
    const message = expect.stringContaining("wscat -s relay.v1.text");
    expect(decode(":help")).toMatchObject({ type: "refused", error: { message } });
  });

  test("is refused as bad_frame without an id; an address over 64 characters is cut, and stays invalid", () => {
    for (const text of ["", "hi", ":", ":hi", "x".repeat(100)]) {
      expect(decode(text)).toMatchObject({ type: "refused", error: { code: "bad_frame" } });
      expect(decode(utf8.encode(text))).toMatchObject({ type: "refused", error: { code: "bad_frame" } });
    }
    for (const text of [`${"x".repeat(65)}:`, `${"x".repeat(1000)}:hi`]) {
      for (const payload of [text, utf8.encode(text)]) {
        expect(decode(payload)).toMatchObject({ type: "send", to: "x".repeat(65) });
      }
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
      fc.property(anyId, fc.oneof(anyText, anyBytes), fc.constantFrom(...KINDS), (from, payload, kind) => {
        const message = new Message(payload, kind);
        const binary = kind === "bytes";
        expect(plain.encodeMessage(from, undefined, message)).toEqual(new Frame(payload, binary));
        const named = plainFrom.encodeMessage(from, undefined, message);
        expect(named.binary).toBe(binary);
        expect(Buffer.from(named.payload)).toEqual(Buffer.concat([Buffer.from(`${from}:`), Buffer.from(payload)]));
      }),
      { numRuns: 500 },
    );
  });

  test("of an error is the same line with and without senders", () => {
    const error = { code: "no_such_id", message: "Cannot send", temporary: false, subject: "9" } as const;
    for (const protocol of [plain, plainFrom]) {
      expect(protocol.encode({ type: "error", error })).toEqual(new Frame(":error no_such_id Cannot send", false));
    }
  });
});

test("a plain client gets no other frames: no welcome, no presence, no ack", () => {
  const quiet: RelayEvent[] = [
    { type: "ping" },
    { type: "pong" },
    { type: "whoami", id: "1" },
    { type: "members", room: "lobby", members: ["1"] },
    { type: "presence", id: "1", room: undefined, event: "online" },
    { type: "ack", ackId: 1, outcome: { outcome: "delivered" } },
  ];
  for (const protocol of [plain, plainFrom]) {
    expect(quiet.map((event) => protocol.encode(event))).toEqual(quiet.map(() => undefined));
  }
});
