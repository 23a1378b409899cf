import { describe, expect, test } from "vitest";
import { MessageTracker } from "../../../../src/runtime/node/message-tracker.ts";
import { encodeFrame, OPCODES } from "../../../conformance/frames.ts";

const { text, continuation, ping, pong } = OPCODES;
const LARGE = encodeFrame({ opcode: text, payload: "x".repeat(70_000) });
const SMALL = encodeFrame({ opcode: text, payload: "x" });
const BEGUN = encodeFrame({ opcode: text, payload: "x", fin: false });
const PONG = encodeFrame({ opcode: pong, payload: "x".repeat(125) });
const PART_BYTES = 128;

function track(keepsPieces: boolean, ...pieces: readonly Uint8Array[]): MessageTracker {
  const tracker = new MessageTracker(keepsPieces);
  for (const piece of pieces) tracker.read(piece);
  return tracker;
}

describe("an incomplete message", () => {
  test.each([
    ["complete frames", [Buffer.concat([SMALL, LARGE, PONG, SMALL])]],
    ["a message whose last fragment came", [BEGUN, PONG, encodeFrame({ opcode: continuation })]],
    ["part of a control frame", [PONG.subarray(0, 60)]],
    ["control frames", [PONG, encodeFrame({ opcode: ping }), PONG]],
    ["nothing", []],
  ])("does not exist after %s", (_what, pieces) => {
    expect(track(true, ...pieces)).toMatchObject({ rawBytes: 0, heldBytes: 0 });
  });

  test.each([SMALL, LARGE, encodeFrame({ opcode: text, payload: "x".repeat(300) })])(
    "is known at each byte of a frame, until the last one",
    (frame) => {
      for (const cut of [1, 2, 3, 5, 7, 9, 13, frame.length - 1].filter((at) => at < frame.length)) {
        const tracker = track(false, frame.subarray(0, cut));
        expect(tracker.rawBytes).toBe(cut);
        tracker.read(frame.subarray(cut));
        expect(tracker.rawBytes).toBe(0);
      }
      const bytes = [...frame].map((byte) => Buffer.from([byte]));
      const tracker = track(false, ...bytes.slice(0, -1));
      expect(tracker).toMatchObject({
        rawBytes: frame.length - 1,
        heldBytes: (frame.length - 1) * (1 + PART_BYTES),
      });
    },
  );

  test("counts the control frames between its fragments", () => {
    const { rawBytes } = track(true, BEGUN, PONG, PONG);
    expect(rawBytes).toBe(BEGUN.length + 2 * PONG.length);
  });

  test("holds the whole piece that it begins in, where the runtime keeps pieces", () => {
    const piece = Buffer.concat([LARGE, BEGUN]);
    expect(track(true, piece)).toMatchObject({ rawBytes: BEGUN.length, heldBytes: piece.length + PART_BYTES });
    expect(track(false, piece)).toMatchObject({ heldBytes: BEGUN.length + PART_BYTES });
  });

  test("takes memory for each of its fragments", () => {
    const fragment = encodeFrame({ opcode: continuation, payload: "x", fin: false });
    const piece = Buffer.concat([BEGUN, fragment, fragment]);
    expect(track(true, piece).heldBytes).toBe(piece.length + 3 * PART_BYTES);
  });
});
