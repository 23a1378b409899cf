import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { badFrame, badId, noSuchId } from "../../../../src/core/protocol/errors.ts";
import { Frame, frameText } from "../../../../src/core/protocol/frame.ts";
import { Message } from "../../../../src/core/protocol/message.ts";
import type { RelayEvent } from "../../../../src/core/protocol/protocol.ts";
import { text } from "../../../../src/core/protocol/text.ts";
import { asPrintable } from "../../../printable.ts";
import { anyBytes, anyId, anyText } from "../../arbitraries.ts";

const utf8 = new TextEncoder();

function decode(payload: string | Uint8Array, binary = typeof payload !== "string") {
  return text.decode(new Frame(payload, binary));
}

describe("a line from a client", () => {
  test("id:message is for that id, any text and any bytes", () => {
    fc.assert(
      fc.property(anyId, anyText, anyBytes, (to, words, bytes) => {
        const line = `${to}:${words}`;
        expect(decode(line)).toEqual({ type: "send", to, message: new Message(words, "text"), ackId: undefined });
        expect(decode(new Uint8Array([...utf8.encode(`${to}:`), ...bytes]))).toEqual({
          type: "send",
          to,
          message: new Message(bytes, "bytes"),
          ackId: undefined,
        });
      }),
      { numRuns: 2000 },
    );
  });

  test("#room:message is for that room, without an echo, any text and any bytes", () => {
    fc.assert(
      fc.property(anyId, anyText, anyBytes, (room, words, bytes) => {
        const published = { type: "publish", room, echo: false, ackId: undefined };
        expect(decode(`#${room}:${words}`)).toEqual({ ...published, message: new Message(words, "text") });
        expect(decode(new Uint8Array([...utf8.encode(`#${room}:`), ...bytes]))).toEqual({
          ...published,
          message: new Message(bytes, "bytes"),
        });
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    [":join lobby", { type: "join", room: "lobby", ackId: undefined }],
    [":leave lobby", { type: "leave", room: "lobby", ackId: undefined }],
    [":who lobby", { type: "members", room: "lobby", ackId: undefined }],
    [":whoami", { type: "whoami" }],
    [":ping", { type: "ping" }],
    [":join lobby\r\n", { type: "join", room: "lobby", ackId: undefined }],
    [":ping\n", { type: "ping" }],
  ])("%j is a command, as a string and as UTF-8", (line, command) => {
    expect(decode(line)).toEqual(command);
    expect(decode(utf8.encode(line), false)).toEqual(command);
  });

  test.each([
    "",
    "hi",
    ":",
    ": join lobby",
    ":join",
    ":join ",
    ":join a b",
    ":join  a",
    `:join ${"a ".repeat(1000)}`,
    ":JOIN lobby",
    ":nick x",
    ":whoami x",
    ":who",
  ])("%j is refused as bad_frame", (line) => {
    expect(decode(line)).toMatchObject({ type: "refused", error: { code: "bad_frame" }, ackId: undefined });
  });

  test.each([
    [":join bad room", "a room's name has no spaces"],
    [":join", ":join needs a room"],
    [":who ", ":who needs a room"],
    [":whoami x", ":whoami takes nothing after it"],
    [":nick x", "there is no such command; :help lists the commands"],
    ["hi", "it is not id:message, #room:message or a command; :help lists the commands"],
  ])("%j is answered with what is wrong with it: %s", (line, reason) => {
    expect(decode(line)).toMatchObject({ error: { message: `Cannot read the frame: ${reason}` } });
  });

  test("is never a command in a binary frame: its bytes are a message", () => {
    expect(decode(utf8.encode(":join lobby"))).toMatchObject({ type: "refused", error: { code: "bad_frame" } });
  });

  test("names a room of 64 characters in full, and a longer one stays invalid", () => {
    expect(decode(`#${"x".repeat(64)}:hi`)).toMatchObject({ type: "publish", room: "x".repeat(64) });
    expect(decode(`#${"x".repeat(65)}:hi`)).toMatchObject({ type: "publish", room: "x".repeat(65) });
  });
});

describe("a frame of the relay", () => {
  const lines: [RelayEvent, string][] = [
    [{ type: "whoami", id: "7" }, ":whoami 7"],
    [{ type: "pong" }, ":pong"],
    [{ type: "help" }, ":help id:message, #room:message, :join room, :leave room, :who room, :whoami, :ping, :help"],
    [{ type: "members", room: "lobby", members: ["3", "7"] }, ":who lobby 3 7"],
    [{ type: "presence", id: "3", room: "lobby", event: "joined" }, ":joined 3 lobby"],
    [{ type: "presence", id: "3", room: "lobby", event: "left" }, ":left 3 lobby"],
    [{ type: "presence", id: "3", room: "lobby", event: "offline" }, ":offline 3 lobby"],
    [{ type: "presence", id: "3", room: undefined, event: "online" }, ":online 3"],
    [{ type: "error", error: noSuchId("9") }, ":error no_such_id 9"],
    [{ type: "error", error: badId("a b") }, ':error bad_id "a b"'],
    [{ type: "error", error: badFrame("it is not JSON") }, ":error bad_frame Cannot read the frame: it is not JSON"],
  ];

  test.each(lines)("for %j is one line", (event, line) => {
    expect(text.encode(event)).toEqual(new Frame(line, false));
  });

  test("for the welcome has the id", () => {
    const limits = { maxMessageBytes: 1, maxUnackedSends: 1 };
    const told = { resumeToken: "", resumed: false, recovered: true, heartbeatMs: 1, resumeMs: 1, limits };
    expect(text.encode({ type: "welcome", id: "7", ...told })).toEqual(new Frame(":welcome 7", false));
  });

  test("does not exist for pings and acks", () => {
    expect(text.encode({ type: "ping" })).toBeUndefined();
    expect(text.encode({ type: "ack", ackId: 1, outcome: { outcome: "done" } })).toBeUndefined();
  });
});

test("a delivery stands behind its sender, and behind the room that it was published in; bytes stay bytes", () => {
  fc.assert(
    fc.property(anyId, fc.option(anyId, { nil: undefined }), anyText, anyBytes, (from, room, words, bytes) => {
      const prefix = room === undefined ? `${from}:` : `${from}#${room}:`;
      const line = text.encodeMessage(from, room, new Message(words, "text"));
      expect([frameText(line), line.binary]).toEqual([prefix + asPrintable(words), false]);
      const { payload, binary } = text.encodeMessage(from, room, new Message(bytes, "bytes"));
      expect(binary).toBe(true);
      expect(Buffer.from(payload)).toEqual(Buffer.concat([Buffer.from(prefix), bytes]));
    }),
    { numRuns: 1000 },
  );
});

test("its messages have no numbers: a session of it ends with its connection", () => {
  expect(text.numbersMessages).toBe(false);
});
