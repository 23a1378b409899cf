import { describe, expect, test } from "vitest";
import { IncomingMessage } from "../../../../src/runtime/node/incoming.ts";
import { encodeFrame, OPCODES } from "../../../conformance/frames.ts";

const { text, continuation, ping, pong } = OPCODES;
const LARGE = encodeFrame({ opcode: text, payload: "x".repeat(70_000) });
const SMALL = encodeFrame({ opcode: text, payload: "x" });
const BEGUN = encodeFrame({ opcode: text, payload: "x", fin: false });
const PONG = encodeFrame({ opcode: pong, payload: "x".repeat(125) });
const PART_BYTES = 128;

function follow(keepsPieces: boolean, ...pieces: readonly Uint8Array[]): IncomingMessage {
  const incoming = new IncomingMessage(keepsPieces);
  for (const piece of pieces) incoming.read(piece);
  return incoming;
}

describe("an incomplete message", () => {
  test.each([
    ["complete frames", [Buffer.concat([SMALL, LARGE, PONG, SMALL])]],
    ["a message whose last fragment came", [BEGUN, PONG, encodeFrame({ opcode: continuation })]],
    ["part of a control frame", [PONG.subarray(0, 60)]],
    ["control frames", [PONG, encodeFrame({ opcode: ping }), PONG]],
    ["nothing", []],
  ])("is none after %s", (_what, pieces) => {
    expect(follow(true, ...pieces)).toMatchObject({ rawBytes: 0, heldBytes: 0 });
  });

  test.each([SMALL, LARGE, encodeFrame({ opcode: text, payload: "x".repeat(300) })])(
    "is known at each byte of a frame, until the last one",
    (frame) => {
      for (const cut of [1, 2, 3, 5, 7, 9, 13, frame.length - 1].filter((at) => at < frame.length)) {
        const incoming = follow(false, frame.subarray(0, cut));
        expect(incoming.rawBytes).toBe(cut);
        incoming.read(frame.subarray(cut));
        expect(incoming.rawBytes).toBe(0);
      }
      const bytes = [...frame].map((byte) => Buffer.from([byte]));
      const incoming = follow(false, ...bytes.slice(0, -1));
      expect(incoming).toMatchObject({
        rawBytes: frame.length - 1,
        heldBytes: (frame.length - 1) * (1 + PART_BYTES),
      });
    },
  );

  test("counts the control frames between its fragments", () => {
    const { rawBytes } = follow(true, BEGUN, PONG, PONG);
    expect(rawBytes).toBe(BEGUN.length + 2 * PONG.length);
  });

  test("takes the whole piece that it begins in, where the runtime keeps pieces", () => {
    const piece = Buffer.concat([LARGE, BEGUN]);
    expect(follow(true, piece)).toMatchObject({ rawBytes: BEGUN.length, heldBytes: piece.length + PART_BYTES });
    expect(follow(false, piece)).toMatchObject({ heldBytes: BEGUN.length + PART_BYTES });
  });

  test("takes memory for each of its fragments", () => {
    const fragment = encodeFrame({ opcode: continuation, payload: "x", fin: false });
    const piece = Buffer.concat([BEGUN, fragment, fragment]);
    expect(follow(true, piece).heldBytes).toBe(piece.length + 3 * PART_BYTES);
  });
});
