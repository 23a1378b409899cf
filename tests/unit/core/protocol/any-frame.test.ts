import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { jsonBytes } from "../../../../src/core/protocol/json-bytes.ts";
import { plain } from "../../../../src/core/protocol/plain.ts";
import type { Command, Protocol } from "../../../../src/core/protocol/protocol.ts";
import { text } from "../../../../src/core/protocol/text.ts";
import {
  anyBytes,
  anyId,
  anyJson,
  anyText,
  asPayload,
  jsonFrameTo,
  mutated,
  NESTED_JSON,
  textLineTo,
} from "../../arbitraries.ts";

const jsonText = jsonFrameTo(anyId).map((frame) => JSON.stringify(frame));
const textLine = textLineTo(anyId);
const plainFrame = fc.tuple(anyId, anyText).map(([id, words]) => `${id}:${words}`);

/** Fails if a field is missing that readers of the command rely on. */
function expectCommand(command: Command): void {
  switch (command.type) {
    case "send":
      expect([typeof command.to, command.message.kind]).toEqual([
        "string",
        expect.stringMatching(/^(text|json|bytes)$/),
      ]);
      return;
    case "publish":
      expect([typeof command.room, typeof command.echo]).toEqual(["string", "boolean"]);
      expect(command.message.payload).toBeDefined();
      return;
    case "join":
    case "leave":
    case "members":
      expect(typeof command.room).toBe("string");
      return;
    case "watch":
    case "unwatch":
      expect(typeof command.id).toBe("string");
      return;
    case "sequenceAck":
      expect(Number.isSafeInteger(command.sequenceId)).toBe(true);
      return;
    case "refused":
      expect(command.error.message).toMatch(/^Cannot read the frame: [^\r\n]+$/);
      expect(command.error.message.length).toBeLessThan(300);
      return;
    case "whoami":
    case "ping":
    case "pong":
    case "help":
      return;
  }
}

describe.each<[string, Protocol, fc.Arbitrary<string>]>([
  ["plain", plain, plainFrame],
  ["relay.v1.text", text, textLine],
  ["relay.v1.json", json, jsonText],
  ["relay.v1.json-bytes", jsonBytes, jsonText],
])("whatever comes from a client of %s", (_name, protocol, valid) => {
  function alwaysReads(frames: fc.Arbitrary<Frame>, numRuns: number): void {
    fc.assert(
      fc.property(frames, (frame) => expectCommand(protocol.decode(frame))),
      { numRuns },
    );
  }
  const inText = (texts: fc.Arbitrary<string>) => asPayload(texts).map((payload) => new Frame(payload, false));

  test("a valid frame is a command, and none is refused for its spelling", () => {
    fc.assert(
      fc.property(valid, (frame) => {
        const command = protocol.decode(new Frame(frame, false));
        expectCommand(command);
        if (protocol !== text) expect(command.type).not.toBe("refused");
      }),
      { numRuns: 10_000 },
    );
  });

  test("a damaged frame is a command", () => {
    alwaysReads(inText(mutated(valid)), 10_000);
  });

  test("any text is a command", () => {
    const colons = fc.string({
      unit: fc.constantFrom(":", "#", "1", "é", "\ud83d", "\n", '"', "{", "}"),
      maxLength: 40,
    });
    alwaysReads(inText(fc.oneof(anyText, colons)), 10_000);
  });

  test("any bytes are a command, sent as bytes or as text", () => {
    const frame = fc.tuple(anyBytes, fc.boolean()).map(([bytes, binary]) => new Frame(bytes, binary));
    alwaysReads(frame, 10_000);
  });

  test("a frame of another protocol is a command", () => {
    alwaysReads(inText(fc.oneof(plainFrame, textLine, jsonText)), 3000);
  });

  test.each(NESTED_JSON)("JSON of %i %s is a command, as a frame and in one", (_depth, _of, nested) => {
    for (const frame of [nested, `{"type":"send","to":"7","data":${nested}}`]) {
      expectCommand(protocol.decode(new Frame(frame, false)));
    }
  });
});

describe("a send of relay.v1.json reads the same however it is spelled", () => {
  const to = fc.oneof(anyId, anyText).map((id) => JSON.stringify(id));
  const data = fc.oneof(anyText, anyId, anyJson).map((value) => JSON.stringify(value));
  const number = fc.oneof(
    fc.maxSafeNat().map(String),
    fc.constantFrom(
      "0",
      "-0",
      "00",
      "07",
      "-1",
      "1.0",
      "1e3",
      "1e999",
      "null",
      '"1"',
      "999999999999999",
      "9007199254740992",
    ),
  );
  const ack = fc.oneof(
    number.map((digits) => `,"ackId":${digits}`),
    fc.constantFrom(
      "",
      ',"ackId":1,"ackId":2',
      ',"encoding":"base64"',
      ',"encoding":"base64","ackId":1',
      ',"to":"8"',
      " ",
    ),
  );
  const usual = fc.tuple(to, data, ack).map(([id, value, rest]) => `{"type":"send","to":${id},"data":${value}${rest}}`);
  const escaped = fc.constantFrom(
    '{"type":"send","to":"7","data":"\\ud83d","ackId":1}',
    '{"type":"send","to":"7","data":"\\u0041","ackId":1}',
    '{"type":"send","to":"7","data":"a\tb","ackId":1}',
    '{"type":"send","to":"7","data":"a\u0000b","ackId":1}',
    '{"type":"send","to":"7","data":"a\u2028b\u007f","ackId":1}',
    '{"type":"send","to":"\\u0037","data":"a","ackId":1}',
    '{"type":"send","to":"7","data":"a","ackId":1}\n',
    '{"type":"send","to":"7","data":"a","data":"b","ackId":1}',
    '{"type":"send","to":"7","data":"a","__proto__":{"ackId":1}}',
  );

  /** Returns the command, with its message as receivers of JSON and of text get it. */
  function readAs(frame: Frame): unknown {
    const command = json.decode(frame);
    if (command.type !== "send") return command;
    const { message, ...rest } = command;
    const arrives = [json, plain].map((protocol) => protocol.encodeMessage("3", undefined, message));
    return { ...rest, kind: message.kind, arrives };
  }

  test("with white space before it, as no client writes it, or without", () => {
    fc.assert(
      fc.property(fc.oneof(usual, mutated(usual), escaped, mutated(escaped)), (spelled) => {
        // A frame never contains half a surrogate pair: UTF-8 cannot encode it.
        const frame = Buffer.from(spelled).toString();
        const expected = readAs(new Frame(` ${frame}`, false));
        expect(readAs(new Frame(frame, false))).toEqual(expected);
        expect(readAs(new Frame(Buffer.from(frame), false))).toEqual(expected);
      }),
      { numRuns: 20_000 },
    );
  });
});

test("a sequenceAck of relay.v1.json reads the same with white space before it, as no client writes it, or without", () => {
  const number = fc.oneof(
    fc.maxSafeNat().map(String),
    fc.constantFrom("0", "-0", "00", "07", "-1", "1.0", "1e3", "1e999", "null", '"1"', "9007199254740992"),
  );
  const rest = fc.constantFrom("", "", "", ',"sequenceId":2', ',"ackId":1', ',"type":"ping"', " ");
  const usual = fc.tuple(number, rest).map(([id, more]) => `{"type":"sequenceAck","sequenceId":${id}${more}}`);
  fc.assert(
    fc.property(fc.oneof(usual, mutated(usual)), (spelled) => {
      const frame = Buffer.from(spelled).toString();
      const expected = json.decode(new Frame(` ${frame}`, false));
      expect(json.decode(new Frame(frame, false))).toEqual(expected);
      expect(json.decode(new Frame(Buffer.from(frame), false))).toEqual(expected);
    }),
    { numRuns: 10_000 },
  );
});
