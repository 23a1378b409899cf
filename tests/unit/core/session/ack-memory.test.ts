import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REMEMBERED_ACKS } from "../../../../src/core/link/limits.ts";
import { noSuchId } from "../../../../src/core/protocol/errors.ts";
import { AckMemory } from "../../../../src/core/session/ack-memory.ts";

test("the relay promises to remember 256 outcomes", () => {
  expect(REMEMBERED_ACKS).toBe(256);
});

test("an outcome is found under its ackId, even 0, and under no other", () => {
  const memory = new AckMemory();
  memory.remember(0, { outcome: "delivered" });
  memory.remember(7, { outcome: "queued" });
  expect(memory.find(0, "9")).toEqual({ outcome: "delivered" });
  expect(memory.find(7, "9")).toEqual({ outcome: "queued" });
  expect(memory.find(1, "9")).toBeUndefined();
});

test("a remembered error names the subject of the send that repeats it, and a publish has its recipients", () => {
  const memory = new AckMemory();
  memory.remember(1, { outcome: "failed", error: noSuchId("9") });
  memory.remember(2, { outcome: "delivered", recipients: 3 });
  expect(memory.find(1, "9")).toEqual({ outcome: "failed", error: noSuchId("9") });
  expect(memory.find(2, "lobby")).toEqual({ outcome: "delivered", recipients: 3 });
});

test("the latest 256 are remembered, in whatever order their numbers came", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 5000 }), { maxLength: 400 }), (ackIds) => {
      const memory = new AckMemory();
      for (const ackId of ackIds) memory.remember(ackId, { outcome: "delivered", recipients: ackId });
      const found = ackIds.filter((ackId) => memory.find(ackId, "9") !== undefined);
      expect(found).toEqual(ackIds.slice(-REMEMBERED_ACKS));
    }),
    { numRuns: 100 },
  );
});

describe("the memory of earlier connections", () => {
  const remembered = (ackId: number) => ({ outcome: "delivered", recipients: ackId }) as const;

  /** Returns a memory of 300 sends, after its connection was lost. */
  function rememberThreeHundred(ackIds: readonly number[]): AckMemory {
    const memory = new AckMemory();
    for (const ackId of ackIds) memory.remember(ackId, remembered(ackId));
    return memory.forNextConnection();
  }

  test.each([
    ["up", (index: number) => index],
    ["down", (index: number) => 1000 - index],
    ["in no order", (index: number) => (index * 7919) % 1009],
  ])("is not pushed out by repeats of what was forgotten, where ackIds count %s", (_how, ackIdOf) => {
    const ackIds = Array.from({ length: 300 }, (_, index) => ackIdOf(index));
    const memory = rememberThreeHundred(ackIds);
    const again: number[] = [];
    for (const ackId of ackIds) {
      if (memory.find(ackId, "9") !== undefined) continue;
      again.push(ackId);
      memory.remember(ackId, remembered(ackId));
    }
    expect(again).toEqual(ackIds.slice(0, 300 - REMEMBERED_ACKS));
  });

  test("is the latest 256 of all of them, however many there were", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 6 }), (counts) => {
        let memory = new AckMemory();
        let sent = 0;
        for (const count of counts) {
          for (let times = 0; times < count; times++) memory.remember(sent, remembered(sent++));
          memory = memory.forNextConnection();
        }
        const found = Array.from({ length: sent }, (_, ackId) => ackId).filter((ackId) => memory.find(ackId, "9"));
        expect(found).toEqual(Array.from({ length: Math.min(sent, 256) }, (_, back) => sent - back - 1).reverse());
      }),
      { numRuns: 50 },
    );
  });

  test("stays beside 256 of the present one", () => {
    const memory = rememberThreeHundred(Array.from({ length: 300 }, (_, index) => index));
    for (let ackId = 1000; ackId < 1300; ackId++) memory.remember(ackId, remembered(ackId));
    const known = [43, 44, 299, 1043, 1044, 1299].map((ackId) => memory.find(ackId, "9") !== undefined);
    expect(known).toEqual([false, true, true, false, true, true]);
  });
});
