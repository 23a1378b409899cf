import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Rooms } from "../../../../src/core/directory/rooms.ts";
import { Watchers } from "../../../../src/core/directory/watchers.ts";
import { DEFAULT_LIMITS } from "../../../../src/core/link/limits.ts";
import { MemoryBudget } from "../../../../src/core/link/memory-budget.ts";
import { noSuchId } from "../../../../src/core/protocol/errors.ts";
import { Frame } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { owned } from "../../../../src/core/protocol/owned.ts";
import { Account } from "../../../../src/core/session/account.ts";
import { AckMemory } from "../../../../src/core/session/ack-memory.ts";
import { Mailbox } from "../../../../src/core/session/mailbox.ts";
import { fakeSession } from "../../fakes.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const FRAMES = 60;
const FRAME_CHARACTERS = 1_000_000;

/** Growth that is less than one frame in total: the latest frame may still be in use. */
const LEFT_BYTES = 50_000;

/** Keeps a part of each of many frames of 1 MB. @returns Growth of the heap per frame, in bytes. */
function bytesForEach(keep: (frame: string, at: number) => unknown): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept: unknown[] = [];
  // Decoded from bytes, like a frame from a socket: one flat string.
  for (let at = 0; at < FRAMES; at++)
    kept.push(keep(Buffer.alloc(FRAME_CHARACTERS, `${at} some words `).toString("latin1"), at));
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / FRAMES;
  return kept.length === FRAMES ? bytes : Number.NaN;
}

test("an owned text is the same text, whatever it holds", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (text) => owned(text) === text));
  expect(owned("\ud83d")).toBe("\ud83d");
  expect(owned("x".repeat(2049))).toBe("x".repeat(2049));
});

test("an owned text does not keep its original in memory, and a slice that is not owned does", () => {
  expect(bytesForEach((frame) => frame.slice(100, 140))).toBeGreaterThan(FRAME_CHARACTERS / 2);
  expect(bytesForEach((frame) => owned(frame.slice(100, 140)))).toBeLessThan(LEFT_BYTES);
  expect(bytesForEach((frame) => owned(frame.slice(100, 400)))).toBeLessThan(LEFT_BYTES);
});

test("a message does not keep a much larger frame in memory", () => {
  const message = (text: string): unknown => {
    const frame = `{"type":"send","to":"1","data":["some words"],"padding":"${text}"}`;
    return json.decode(new Frame(Buffer.from(frame).toString("latin1"), false));
  };
  expect(bytesForEach(message)).toBeLessThan(LEFT_BYTES);
});

test("a room, a watch, an error and a remembered outcome do not keep their frames in memory", () => {
  const name = (frame: string): string => frame.slice(100, 140);
  const [rooms, watchers, memory, session] = [new Rooms(), new Watchers(), new AckMemory(), fakeSession("1")];
  const account = new Account(new MemoryBudget(DEFAULT_LIMITS));
  expect(bytesForEach((frame, at) => rooms.join(name(frame) + at, session))).toBeLessThan(LEFT_BYTES);
  expect(bytesForEach((frame, at) => watchers.watch(name(frame) + at, session))).toBeLessThan(LEFT_BYTES);
  expect(bytesForEach((frame) => noSuchId(name(frame)))).toBeLessThan(LEFT_BYTES);
  expect(
    bytesForEach((frame, at) => memory.remember(at, { outcome: "failed", error: noSuchId(name(frame)) })),
  ).toBeLessThan(LEFT_BYTES);
  const mailbox = new Mailbox(DEFAULT_LIMITS, account);
  const keepAndAcknowledge = (frame: string, at: number): boolean => {
    mailbox.add(new Frame(frame, false));
    return mailbox.acknowledge(at + 1);
  };
  expect(bytesForEach(keepAndAcknowledge)).toBeLessThan(LEFT_BYTES);
});
