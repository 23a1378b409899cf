import fc from "fast-check";
import { expect, test } from "vitest";
import { UnsentAcks } from "../../../../src/core/link/unsent-acks.ts";
import { Frame } from "../../../../src/core/protocol/frame.ts";

const ACK = new Frame('{"type":"ack","ackId":1000,"outcome":"delivered"}', false);

/** Returns the bytes of the frame on the wire. */
function wireBytes({ payload }: Frame): number {
  const bytes = Buffer.byteLength(payload as string); // These frames are text.
  return bytes + (bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10);
}

test("acks count while they are in the outbox, and while the operating system takes nothing", () => {
  const acks = new UnsentAcks();
  for (let written = 0; written < 50; written++) {
    for (let times = 0; times < 10; times++) acks.add();
    expect(acks.count(1_000_000)).toBe((written + 1) * 10);
    acks.onFlush(
      Array.from({ length: 10 }, () => ACK),
      1_000_000,
    );
  }
  expect(acks.count(1_000_000)).toBe(500);
  expect([acks.count(0), acks.maxCount]).toEqual([0, 0]);
});

test("the count is never above the acks that wait, and 0 if the operating system took all", () => {
  const payloads = ["x", "您".repeat(300), "x".repeat(70_000), ""];
  const step = fc.record({
    acks: fc.nat({ max: 5 }),
    others: fc.array(fc.constantFrom(...payloads)),
    taken: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const acks = new UnsentAcks();
      let buffer: { readonly isAck: boolean; bytes: number }[] = [];
      const unsent = () => buffer.reduce((sum, { bytes }) => sum + bytes, 0);
      for (const { acks: count, others, taken } of steps) {
        const frames = [
          ...others.map((payload) => new Frame(payload, false)),
          ...Array.from({ length: count }, () => ACK),
        ];
        for (let times = 0; times < count; times++) acks.add();
        buffer.push(...frames.map((frame) => ({ isAck: frame === ACK, bytes: wireBytes(frame) })));
        acks.onFlush(frames, unsent());
        let left = Math.floor(unsent() * taken);
        for (const entry of buffer) {
          const part = Math.min(left, entry.bytes);
          entry.bytes -= part;
          left -= part;
        }
        buffer = buffer.filter(({ bytes }) => bytes > 0);
        const waiting = buffer.filter(({ isAck }) => isAck).length;
        expect(acks.count(unsent())).toBeLessThanOrEqual(waiting);
        if (buffer.length === 0) expect(acks.maxCount).toBe(0);
      }
    }),
    { numRuns: 300 },
  );
});
