import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Frame, frameText } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { plain, plainFrom } from "../../../../src/core/protocol/plain.ts";
import type { Protocol } from "../../../../src/core/protocol/protocol.ts";
import { text } from "../../../../src/core/protocol/text.ts";
import { asPrintable } from "../../../printable.ts";
import { anyBytes, anyJson, anyText } from "../../arbitraries.ts";

/** Returns the frame that a receiver of each protocol gets for one message from 3 to 7. */
interface Arrived {
  readonly plain: Frame;
  readonly plainFrom: Frame;
  readonly text: Frame;
  readonly json: { readonly data: unknown; readonly encoding?: string };
}

function arrives(sentOver: Protocol, frame: Frame): Arrived {
  const command = sentOver.decode(frame);
  if (command.type !== "send") throw new Error(`Read as ${command.type}`);
  const [asPlain, asPlainFrom, asText, asJson] = [plain, plainFrom, text, json].map((protocol) =>
    protocol.encodeMessage("3", undefined, command.message),
  );
  if (asPlain === undefined || asPlainFrom === undefined || asText === undefined || asJson === undefined) {
    throw new Error("Nothing arrived");
  }
  const { data, encoding } = JSON.parse(frameText(asJson));
  return {
    plain: asPlain,
    plainFrom: asPlainFrom,
    text: asText,
    json: encoding === undefined ? { data } : { data, encoding },
  };
}

function inJson(frame: object): Frame {
  return new Frame(JSON.stringify({ type: "send", to: "7", ...frame }), false);
}

function behindAddress(bytes: Uint8Array): Uint8Array {
  return new Uint8Array([...new TextEncoder().encode("7:"), ...bytes]);
}

function expectText(arrived: Arrived, words: string): void {
  expect(arrived.plain).toEqual(new Frame(words, false));
  expect(arrived.plainFrom).toEqual(new Frame(`3:${words}`, false));
  expect(frameText(arrived.text)).toBe(`3:${asPrintable(words)}`);
  expect(arrived.text.binary).toBe(false);
}

function expectBytes(arrived: Arrived, bytes: Uint8Array): void {
  const named = Buffer.concat([Buffer.from("3:"), bytes]);
  for (const { binary } of [arrived.plain, arrived.plainFrom, arrived.text]) expect(binary).toBe(true);
  expect(Buffer.from(arrived.plain.payload)).toEqual(Buffer.from(bytes));
  expect(Buffer.from(arrived.plainFrom.payload)).toEqual(named);
  expect(Buffer.from(arrived.text.payload)).toEqual(named);
  expect(arrived.json).toEqual({ data: Buffer.from(bytes).toString("base64"), encoding: "base64" });
}

describe.each([
  ["plain", plain],
  ["relay.v1.text", text],
])("what a client of %s sends", (_name, protocol) => {
  test("as text arrives everywhere as that text, in JSON as a string", () => {
    fc.assert(
      fc.property(anyText, (words) => {
        const arrived = arrives(protocol, new Frame(`7:${words}`, false));
        expectText(arrived, words);
        expect(arrived.json).toEqual({ data: words });
      }),
      { numRuns: 1000 },
    );
  });

  test("as bytes arrives everywhere as those bytes, in JSON as base64", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expectBytes(arrives(protocol, new Frame(behindAddress(bytes), true)), bytes);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what a client of relay.v1.json sends", () => {
  test("as a string arrives as that text, and in JSON as that string", () => {
    fc.assert(
      fc.property(anyText, (words) => {
        const arrived = arrives(json, inJson({ data: words }));
        expectText(arrived, words);
        expect(arrived.json).toEqual({ data: words });
      }),
      { numRuns: 1000 },
    );
  });

  test("as any other value arrives as its JSON text, and in JSON as that value", () => {
    fc.assert(
      fc.property(
        anyJson.filter((value) => typeof value !== "string"),
        (value) => {
          const arrived = arrives(json, inJson({ data: value }));
          expectText(arrived, JSON.stringify(value));
          expect(arrived.json).toEqual({ data: value });
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("as base64 arrives as those bytes, and in JSON as the same base64", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const data = Buffer.from(bytes).toString("base64");
        expectBytes(arrives(json, inJson({ data, encoding: "base64" })), bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
