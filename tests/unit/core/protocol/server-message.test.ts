import fc from "fast-check";
import { expect, test } from "vitest";
import { frameBytes, frameText } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { jsonBytes } from "../../../../src/core/protocol/json-bytes.ts";
import { Message } from "../../../../src/core/protocol/message.ts";
import { plainFrom } from "../../../../src/core/protocol/plain.ts";
import { text } from "../../../../src/core/protocol/text.ts";

const name = fc.stringMatching(/^[A-Za-z0-9._~-]{1,64}$/);
const room = fc.option(name, { nil: undefined });
const data = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(":server hi", "\n:server hi", '","server":true', '"}{"type":"message","data":1'),
  fc.jsonValue().map((value) => (value === undefined ? null : value)),
  fc.uint8Array(),
);

/** Whether a frame, in the eyes of a client of the protocol, comes from the server. */
const isFromServer = {
  line: (frame: string) => /(^|\n):/.test(frame.replaceAll("\n\t", "")),
  json: (frame: string) => !("from" in JSON.parse(frame)),
};

test("no message of any client looks like one of the server, and each one of the server does", () => {
  fc.assert(
    fc.property(name, room, data, (from, inRoom, value) => {
      const message = Message.of(value);
      for (const sender of [from, undefined]) {
        const isServer = sender === undefined;
        const line = text.encodeMessage(sender, inRoom, message);
        if (message.kind !== "bytes") expect(isFromServer.line(frameText(line))).toBe(isServer);
        const plain = plainFrom.encodeMessage(sender, inRoom, message);
        expect(Buffer.from(frameBytes(plain))[0] === 0x3a).toBe(isServer);
        expect(Buffer.from(frameBytes(line))[0] === 0x3a).toBe(isServer);
        expect(isFromServer.json(frameText(json.encodeMessage(sender, inRoom, message).numbered(1)))).toBe(isServer);
        const frame = jsonBytes.encodeMessage(sender, inRoom, message).numbered(1);
        const bytes = frame.binary ? Buffer.from(frameBytes(frame)) : Buffer.from(frameText(frame));
        const head = frame.binary ? bytes.subarray(0, bytes.indexOf(10)) : bytes;
        expect(isFromServer.json(head.toString())).toBe(isServer);
      }
    }),
  );
});
