import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame, frameText } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { Message } from "../../../../src/core/protocol/message.ts";
import type { Command } from "../../../../src/core/protocol/protocol.ts";
import { anyBytes, anyId, anyJson, anyText } from "../../arbitraries.ts";

function decode(value: unknown): Command {
  return json.decode(new Frame(typeof value === "string" ? value : JSON.stringify(value), false));
}

describe("a frame from a client", () => {
  const hi = new Message("hi", "text");
  const frames: [object, Command][] = [
    [
      { type: "send", to: "7", data: "hi", ackId: 1 },
      { type: "send", to: "7", message: hi, ackId: 1 },
    ],
    [
      { type: "send", to: "7", data: "hi" },
      { type: "send", to: "7", message: hi, ackId: undefined },
    ],
    [
      { type: "send", to: "7", data: null },
      { type: "send", to: "7", message: new Message("null", "json"), ackId: undefined },
    ],
    [
      { type: "publish", room: "lobby", data: { a: [1] }, ackId: 2, echo: true },
      { type: "publish", room: "lobby", message: new Message('{"a":[1]}', "json"), echo: true, ackId: 2 },
    ],
    [
      { type: "publish", room: "lobby", data: "AP8=", encoding: "base64" },
      {
        type: "publish",
        room: "lobby",
        message: new Message(new Uint8Array([0, 255]), "bytes"),
        echo: false,
        ackId: undefined,
      },
    ],
    [
      { type: "join", room: "lobby", ackId: 0 },
      { type: "join", room: "lobby", ackId: 0 },
    ],
    [
      { type: "leave", room: "lobby" },
      { type: "leave", room: "lobby", ackId: undefined },
    ],
    [
      { type: "members", room: "lobby", ackId: Number.MAX_SAFE_INTEGER },
      { type: "members", room: "lobby", ackId: Number.MAX_SAFE_INTEGER },
    ],
    [
      { type: "watch", id: "7", ackId: 4 },
      { type: "watch", id: "7", ackId: 4 },
    ],
    [
      { type: "unwatch", id: "7" },
      { type: "unwatch", id: "7", ackId: undefined },
    ],
    [
      { type: "sequenceAck", sequenceId: 41 },
      { type: "sequenceAck", sequenceId: 41 },
    ],
    [{ type: "ping" }, { type: "ping" }],
    [{ type: "pong" }, { type: "pong" }],
  ];

  test.each(frames)("%j is decoded", (frame, command) => {
    expect(decode(frame)).toEqual(command);
    expect(decode({ ...frame, unknown: { field: true } })).toEqual(command);
    const bytes = new TextEncoder().encode(JSON.stringify(frame));
    expect(json.decode(new Frame(bytes, false))).toEqual(command);
  });

  test.each([
    ["nonsense", undefined],
    ["", undefined],
    ["[]", undefined],
    ["null", undefined],
    ["7", undefined],
    ["{}", undefined],
    ['{"type":"shout","ackId":3}', 3],
    ['{"ackId":3}', 3],
    ['{"type":"send","to":"7","ackId":3}', 3],
    ['{"type":"send","to":7,"data":"x","ackId":3}', 3],
    ['{"type":"send","data":"x","ackId":3}', 3],
    ['{"type":"send","to":"7","data":"x","encoding":"hex","ackId":3}', 3],
    ['{"type":"send","to":"7","data":"%%","encoding":"base64","ackId":3}', 3],
    ['{"type":"send","to":"7","data":7,"encoding":"base64","ackId":3}', 3],
    ['{"type":"publish","room":"lobby","data":"x","echo":1,"ackId":3}', 3],
    ['{"type":"join","ackId":3}', 3],
    ['{"type":"join","room":"lobby","ackId":-1}', undefined],
    ['{"type":"join","room":"lobby","ackId":1.5}', undefined],
    ['{"type":"join","room":"lobby","ackId":"1"}', undefined],
    ['{"type":"join","room":"lobby","ackId":9007199254740992}', undefined],
    ['{"type":"sequenceAck","sequenceId":"41"}', undefined],
    ['{"type":"sequenceAck","sequenceId":-1}', undefined],
    ['{"type":"sequenceAck"}', undefined],
    ['{"type":"constructor"}', undefined],
    ['{"type":"__proto__","ackId":3}', 3],
  ])("%s is refused as bad_frame, under its ackId where it has one: %s", (text, ackId) => {
    expect(decode(text)).toMatchObject({ type: "refused", error: { code: "bad_frame" }, ackId });
  });

  test("that is binary is refused, whatever it holds", () => {
    const bytes = new TextEncoder().encode('{"type":"ping"}');
    expect(json.decode(new Frame(bytes, true))).toMatchObject({ type: "refused", error: { code: "bad_frame" } });
  });

  test("says which field is wrong", () => {
    const messages = [
      { type: "send", to: 7, data: "x" },
      { type: "shout" },
      {},
      { type: "publish", room: "r", data: 1, echo: "yes" },
      { type: "send", to: "1", data: "AA==", encoding: "hex" },
      { type: "send", to: "1" },
      { type: "sequenceAck", sequenceId: -1 },
      { type: "join", room: "r", ackId: 1.5 },
      { type: "join", room: "r", ackId: 2 ** 60 },
    ].map((frame) => {
      const command = decode(frame);
      return command.type === "refused" ? command.error.message.replace("Cannot read the frame: ", "") : command;
    });
    const TYPES = "type: expected one of send, publish, join, leave, members, watch, unwatch, sequenceAck, ping, pong";
    const COUNT = "expected a whole number from 0 to 2^53 - 1";
    expect(messages).toEqual([
      "to: expected a string",
      TYPES,
      TYPES,
      "echo: expected true or false",
      'encoding: expected "base64"',
      "data: expected a value",
      `sequenceId: ${COUNT}`,
      `ackId: ${COUNT}`,
      `ackId: ${COUNT}`,
    ]);
  });

  test("keeps its data whole, any value", () => {
    fc.assert(
      fc.property(anyJson, (data) => {
        const command = decode({ type: "send", to: "7", data });
        if (command.type !== "send") throw new Error(`Read as ${command.type}`);
        const { kind, payload } = command.message;
        expect(kind).toBe(typeof data === "string" ? "text" : "json");
        expect(kind === "text" ? payload : JSON.parse(String(payload))).toEqual(data);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a delivery", () => {
  /** Returns a numbered message as the client parses it. */
  function wire(from: string, room: string | undefined, message: Message, sequenceId: number): unknown {
    const frame = json.encodeMessage(from, room, message).numbered(sequenceId);
    expect(frame.binary).toBe(false);
    return JSON.parse(frameText(frame));
  }

  test("is one JSON object with its number behind it: text", () => {
    fc.assert(
      fc.property(anyId, fc.option(anyId, { nil: undefined }), anyText, fc.maxSafeNat(), (from, room, text, at) => {
        const expected = { type: "message", from, ...(room === undefined ? {} : { room }), data: text, sequenceId: at };
        expect(wire(from, room, new Message(text, "text"), at)).toEqual(expected);
        expect(wire(from, room, new Message(Buffer.from(text), "text"), at)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("of bytes is base64, and says so; of JSON is the value", () => {
    fc.assert(
      fc.property(anyBytes, anyJson, (bytes, value) => {
        expect(wire("3", undefined, new Message(bytes, "bytes"), 1)).toEqual({
          type: "message",
          from: "3",
          data: Buffer.from(bytes).toString("base64"),
          encoding: "base64",
          sequenceId: 1,
        });
        expect(wire("3", "lobby", new Message(JSON.stringify(value), "json"), 2)).toEqual({
          type: "message",
          from: "3",
          room: "lobby",
          data: value,
          sequenceId: 2,
        });
      }),
      { numRuns: 1000 },
    );
  });

  test("of half a surrogate pair is still JSON", () => {
    expect(wire("3", undefined, new Message("\ud83d", "text"), 1)).toMatchObject({ data: "\ud83d" });
  });
});
