import fc from "fast-check";
import { expect, test } from "vitest";
import { AckMemory } from "../../../src/core/ack-memory.ts";
import { REMEMBERED_ACKS } from "../../../src/core/limits.ts";

test("the relay promises to remember 256 sends", () => {
  expect(REMEMBERED_ACKS).toBe(256);
});

test("an outcome is found under its ackId, 0 included, and no other", () => {
  const memory = new AckMemory();
  memory.remember(0, { outcome: "delivered" });
  memory.remember(7, { outcome: "queued" });
  expect(memory.find(0)).toEqual({ outcome: "delivered" });
  expect(memory.find(7)).toEqual({ outcome: "queued" });
  expect(memory.find(1)).toBeUndefined();
});

test("the latest 256 are remembered, in whatever order their numbers came", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 5000 }), { maxLength: 400 }), (ackIds) => {
      const memory = new AckMemory();
      for (const ackId of ackIds) memory.remember(ackId, { outcome: "delivered", recipients: ackId });
      const found = ackIds.filter((ackId) => memory.find(ackId) !== undefined);
      expect(found).toEqual(ackIds.slice(-REMEMBERED_ACKS));
    }),
    { numRuns: 100 },
  );
});
