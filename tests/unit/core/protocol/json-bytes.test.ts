import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame, frameBytes } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { jsonBytes } from "../../../../src/core/protocol/json-bytes.ts";
import { Message } from "../../../../src/core/protocol/message.ts";
import { wireBytes, writeFrames } from "../../../../src/runtime/node/frame-bytes.ts";
import { anyBytes, anyId, anyText, jsonFrameTo, mutated } from "../../arbitraries.ts";

const BODY = Uint8Array.from([0, 10, 34, 125, 255]);

/** Makes a binary frame: the head, a line feed, the body. */
function inBinary(head: string | Uint8Array, body: Uint8Array = BODY): Frame {
  return new Frame(new Uint8Array(Buffer.concat([Buffer.from(head), Buffer.from("\n"), body])), true);
}

function refused(reason: string, ackId?: number) {
  const error = { code: "bad_frame", message: expect.stringContaining(reason) };
  return { type: "refused", error, ackId };
}

/** Splits what a receiver gets into its head and its body. */
function split(frame: Frame): { readonly head: unknown; readonly body: Buffer } {
  expect(frame.binary).toBe(true);
  const content = Buffer.from(frameBytes(frame));
  const end = content.indexOf("\n");
  return { head: JSON.parse(content.toString("utf8", 0, end)), body: content.subarray(end + 1) };
}

describe("the examples of docs/protocol.md", () => {
  const page = readFileSync(new URL("../../../../docs/protocol.md", import.meta.url), "utf8");

  /** Returns the head of the page's only binary frame of this side. */
  function exampleHead(mark: ">" | "<"): string {
    const heads = [...page.matchAll(new RegExp(`^${mark} (\\{.*\\})␊<`, "gm"))].map(([, head]) => head);
    expect(heads).toHaveLength(1);
    return heads[0] ?? "";
  }

  test("a client sends a binary frame with this head", () => {
    const command = jsonBytes.decode(inBinary(exampleHead(">")));
    expect(command).toEqual({ type: "send", to: "7", message: new Message(BODY, "bytes"), ackId: 1 });
  });

  test("the relay sends a binary frame with this head", () => {
    const frame = jsonBytes.encodeMessage("7", undefined, new Message(BODY, "bytes")).numbered(1);
    expect(split(frame)).toEqual({ head: JSON.parse(exampleHead("<")), body: Buffer.from(BODY) });
  });
});

describe("a binary frame from a client", () => {
  const bytes = new Message(BODY, "bytes");
  const publish = { type: "publish", room: "lobby", echo: false, message: bytes };
  test.each([
    ['{"type":"send","to":"7"}', { type: "send", to: "7", message: bytes, ackId: undefined }],
    ['{"type":"send","to":"7","ackId":3}', { type: "send", to: "7", message: bytes, ackId: 3 }],
    ['{"ackId": 3 , "to":"7", "type":"send","later":[{}]}', { type: "send", to: "7", message: bytes, ackId: 3 }],
    ['{"type":"send","to":"é"}', { type: "send", to: "é", message: bytes, ackId: undefined }],
    ['{"type":"publish","room":"lobby"}', { ...publish, ackId: undefined }],
    ['{"type":"publish","room":"lobby","echo":true,"ackId":1}', { ...publish, echo: true, ackId: 1 }],
  ])("with the head %s is decoded", (head, command) => {
    expect(jsonBytes.decode(inBinary(head))).toEqual(command);
  });

  test.each([
    ["no line feed", Buffer.from('{"type":"send","to":"7"}'), "a line of JSON"],
    ["nothing", Buffer.alloc(0), "a line of JSON"],
    ["a head that is too long", Buffer.from(`{"type":"send","to":"${"x".repeat(1100)}"}\nx`), "at most 1024 bytes"],
    ["a head that is no JSON", Buffer.from("7\nx"), "not a JSON object"],
    ["an empty head", Buffer.from("\nx"), "not a JSON object"],
    ["a head that is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d, 0x0a]), "not UTF-8"],
    [
      "a head that begins with a byte order mark",
      Buffer.from('\ufeff{"type":"send","to":"7"}\nx'),
      "not a JSON object",
    ],
    ["a head of several lines", Buffer.from('{"type":"send",\n"to":"7"}\nx'), "not a JSON object"],
  ])("with %s is refused", (_what, payload, reason) => {
    expect(jsonBytes.decode(new Frame(payload, true))).toMatchObject(refused(reason));
  });

  test.each([
    ["data in its head", '{"type":"send","to":"7","data":"x","ackId":4}', "behind the head"],
    ["an encoding in its head", '{"type":"send","to":"7","encoding":"base64","ackId":4}', "behind the head"],
    ["a command", '{"type":"join","room":"lobby","ackId":4}', "a send or a publish"],
    ["no address", '{"type":"send","ackId":4}', "to: expected a string"],
    ["a head that is nested too deep", `{"ackId":4,"x":${"[".repeat(128)}${"]".repeat(128)}}`, "deeper than 128"],
    ["a number beyond a double", '{"type":"send","to":"7","ackId":4,"x":1e400}', "beyond the range"],
  ])("with %s is refused under its ackId", (_what, head, reason) => {
    expect(jsonBytes.decode(inBinary(head))).toMatchObject(refused(reason, 4));
  });

  test("with a head of exactly 1024 bytes is decoded, and with one more it is refused", () => {
    const head = (length: number): string => '{"type":"send","to":"7"}'.padEnd(length);
    expect(jsonBytes.decode(inBinary(head(1024)))).toMatchObject({ type: "send", to: "7" });
    expect(jsonBytes.decode(inBinary(head(1025)))).toMatchObject(refused("at most 1024 bytes"));
  });

  test("is a command, whatever it holds", () => {
    const heads = jsonFrameTo(anyId).map((frame) => JSON.stringify(frame));
    const frames = fc.oneof(
      anyBytes.map((payload) => new Frame(payload, true)),
      fc.tuple(fc.oneof(heads, mutated(heads)), anyBytes).map(([head, body]) => inBinary(head, body)),
    );
    fc.assert(
      fc.property(frames, (frame) => {
        expect(["send", "publish", "refused"]).toContain(jsonBytes.decode(frame).type);
      }),
      { numRuns: 5000 },
    );
  });

  test("reads the same however its head is spelled, and keeps its bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyId,
          anyText.filter((to) => to.length < 100),
        ),
        fc.maxSafeNat(),
        anyBytes,
        (to, ackId, body) => {
          const usual = JSON.stringify({ type: "send", to, ackId });
          const other = `{ "ackId":${ackId},"type":"send","to":${JSON.stringify(to)}}`;
          for (const head of [usual, other]) {
            const command = jsonBytes.decode(inBinary(head, body));
            expect(command).toMatchObject({ type: "send", to, ackId });
            if (command.type === "send") expect(Buffer.from(command.message.payload)).toEqual(Buffer.from(body));
          }
        },
      ),
    );
  });
});

test("a text frame reads as in relay.v1.json, base64 included", () => {
  fc.assert(
    fc.property(jsonFrameTo(anyId), (frame) => {
      const text = new Frame(JSON.stringify(frame), false);
      expect(jsonBytes.decode(text)).toEqual(json.decode(text));
    }),
  );
  expect(
    jsonBytes.decode(new Frame('{"type":"send","to":"7","data":"AAo=","encoding":"base64"}', false)),
  ).toMatchObject({
    message: { kind: "bytes", payload: Uint8Array.from([0, 10]) },
  });
});

describe("a message to a client", () => {
  test("of bytes is a binary frame with its head and its number before the bytes, on every runtime", () => {
    fc.assert(
      fc.property(anyId, fc.option(anyId), anyBytes, fc.maxSafeNat(), (from, room, body, sequenceId) => {
        const frame = jsonBytes.encodeMessage(from, room ?? undefined, new Message(body, "bytes")).numbered(sequenceId);
        const head = { type: "message", from, ...(room !== null && { room }), sequenceId };
        expect(split(frame)).toEqual({ head, body: Buffer.from(body) });
        const onNode = writeFrames(Buffer.alloc(wireBytes(frame)), 0, [frame]);
        expect(onNode.subarray(onNode.length - frameBytes(frame).length)).toEqual(Buffer.from(frameBytes(frame)));
        expect(onNode[0]).toBe(0x82);
      }),
    );
  });

  test("of anything else is the same text frame as in relay.v1.json", () => {
    for (const message of [new Message("hi", "text"), new Message("\ud83d", "text"), new Message("[1]", "json")]) {
      expect(jsonBytes.encodeMessage("3", "lobby", message)).toEqual(json.encodeMessage("3", "lobby", message));
    }
    expect(jsonBytes.encode({ type: "ping" })).toEqual(json.encode({ type: "ping" }));
  });

  test("of bytes does not keep the larger buffer that its bytes were read into", () => {
    const read = Buffer.alloc(65_536, 7);
    const { payload, size } = jsonBytes.encodeMessage("3", undefined, new Message(read.subarray(100, 200), "bytes"));
    if (typeof payload === "string") throw new Error("It is text");
    expect([payload.length, payload.buffer.byteLength]).toEqual([100, 100]);
    expect(size).toBe(100 + '{"type":"message","from":"3","sequenceId":}\n'.length);
    const whole = new Uint8Array(1000);
    expect(jsonBytes.encodeMessage("3", undefined, new Message(whole, "bytes")).payload).toBe(whole);
  });
});
