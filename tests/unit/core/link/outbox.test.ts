import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../../../src/core/link/limits.ts";
import { MemoryBudget } from "../../../../src/core/link/memory-budget.ts";
import { Outbox } from "../../../../src/core/link/outbox.ts";
import { Turn } from "../../../../src/core/link/turn.ts";
import { Frame } from "../../../../src/core/protocol/frame.ts";
import { FakeConnection, FakeTurn } from "../../fakes.ts";

let turn: FakeTurn;
let shared: Turn;

beforeEach(() => {
  turn = new FakeTurn();
  shared = new Turn(turn.schedule);
});

function open() {
  const connection = new FakeConnection();
  const heartbeat = { currentTick: 0, beatsSince: () => 0 };
  const context = { limits: DEFAULT_LIMITS, budget: new MemoryBudget(DEFAULT_LIMITS), turn: shared, heartbeat };
  return { connection, outbox: new Outbox(connection, context) };
}

function text(words: string): Frame {
  return new Frame(words, false);
}

describe("the frames of one turn", () => {
  test("are written at its end, in order, as one write", () => {
    const { connection, outbox } = open();
    for (const words of ["a", "b", "c"]) outbox.add(text(words));
    expect(connection.did).toEqual([]);
    turn.end();
    expect(connection.did).toEqual(["write a,b,c"]);
  });

  test("for many connections need one flush, which writes each connection once", () => {
    const one = open();
    const two = open();
    for (const words of ["a", "b"]) {
      one.outbox.add(text(words));
      two.outbox.add(text(words.toUpperCase()));
    }
    expect(turn.scheduled).toBe(1);
    turn.end();
    expect([one.connection.did, two.connection.did]).toEqual([["write a,b"], ["write A,B"]]);
  });

  test("are not written again in the next", () => {
    const { connection, outbox } = open();
    outbox.add(text("a"));
    turn.end();
    outbox.add(text("b"));
    turn.end();
    expect(connection.did).toEqual(["write a", "write b"]);
  });

  test("leave no write to a connection that has none", () => {
    const { connection, outbox } = open();
    outbox.flush();
    expect(connection.did).toEqual([]);
  });
});

describe("frames of 32 KiB together", () => {
  test("are written at once, and the frames after them at the end of the turn, in order", () => {
    const { connection, outbox } = open();
    const half = "x".repeat(16_384);
    for (const words of ["a", half, half, "b", "c"]) outbox.add(text(words));
    expect(connection.did).toEqual([`write a,${half},${half}`]);
    turn.end();
    expect(connection.did).toEqual([`write a,${half},${half}`, "write b,c"]);
  });

  test("leave nothing to be flushed at the end of the turn if there is just one", () => {
    const { connection, outbox } = open();
    outbox.add(text("x".repeat(32_768)));
    expect(connection.did.length).toBe(1);
    expect(turn.scheduled).toBe(0);
  });

  test("count in the runtime's buffer when they are written", () => {
    const { connection, outbox } = open();
    outbox.add(text("x".repeat(32_768)));
    expect(outbox.bufferedBytes()).toBe(0);
    connection.waitingBytes = 30_000;
    expect(outbox.bufferedBytes()).toBe(30_000);
  });
});

test("a frame that is added while others are flushed is written at the end of the next turn", () => {
  const one = open();
  const two = open();
  one.connection.write = (frames) => {
    one.connection.frames.push(...frames);
    two.outbox.add(text("b"));
  };
  one.outbox.add(text("a"));
  turn.end();
  expect([one.connection.heard, two.connection.heard]).toEqual([["a"], []]);
  turn.end();
  expect(two.connection.heard).toEqual(["b"]);
});

test("a flush before the end of the turn writes at once, and nothing twice", () => {
  const { connection, outbox } = open();
  outbox.add(text("a"));
  outbox.flush();
  outbox.add(text("b"));
  turn.end();
  expect(connection.did).toEqual(["write a", "write b"]);
});

test("discarded frames are never written, and no longer count", () => {
  const { connection, outbox } = open();
  outbox.add(text("a"));
  outbox.discard();
  turn.end();
  expect(connection.did).toEqual([]);
  expect(outbox.bufferedBytes()).toBe(0);
});

test("frames count in the outbox, then in the runtime's buffer", () => {
  const { connection, outbox } = open();
  connection.waitingBytes = 10;
  outbox.add(text("abc"));
  outbox.add(new Frame(new Uint8Array(4), true));
  expect(outbox.bufferedBytes()).toBe(17);
  turn.end();
  expect(outbox.bufferedBytes()).toBe(10);
});

test("whatever is added when, each connection gets its frames once and in order, in at most one write a turn", () => {
  const step = fc.oneof(fc.nat({ max: 3 }), fc.constant("end" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const all = Array.from({ length: 4 }, open);
      const expected: string[][] = [[], [], [], []];
      const turnsWithFrames = [0, 0, 0, 0];
      const added = new Set<number>();
      [...steps, "end" as const].forEach((choice, at) => {
        if (choice === "end") {
          turn.end();
          for (const index of added) turnsWithFrames[index] = (turnsWithFrames[index] ?? 0) + 1;
          added.clear();
          return;
        }
        all[choice]?.outbox.add(text(String(at)));
        expected[choice]?.push(String(at));
        added.add(choice);
      });
      expect(all.map(({ connection }) => connection.heard)).toEqual(expected);
      expect(all.map(({ connection }) => connection.did.length)).toEqual(turnsWithFrames);
    }),
    { numRuns: 200 },
  );
});
