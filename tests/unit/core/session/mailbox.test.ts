import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS, type Limits } from "../../../../src/core/link/limits.ts";
import { MemoryBudget } from "../../../../src/core/link/memory-budget.ts";
import { Envelope } from "../../../../src/core/protocol/envelope.ts";
import { Frame, frameText } from "../../../../src/core/protocol/frame.ts";
import { Account } from "../../../../src/core/session/account.ts";
import { Mailbox } from "../../../../src/core/session/mailbox.ts";

function startMailbox(limits: Partial<Limits> = {}): Mailbox {
  const all = { ...DEFAULT_LIMITS, ...limits };
  return new Mailbox(all, new Account(new MemoryBudget(all)));
}

/** Envelope that adds only the number to a message: `hi1`. */
const NUMBERED = new Envelope("", "", "", "");

function body(words: string): Frame {
  return new Frame(words, false, NUMBERED);
}

/** Returns the field `recovered` of a welcome that is sent now: whether nothing was lost. */
function tellsOfNoLoss(mailbox: Mailbox): boolean {
  const isWhole = !mailbox.hasUnseenLoss;
  mailbox.markLossReported();
  return isWhole;
}

function waiting(mailbox: Mailbox): string[] {
  const texts: string[] = [];
  for (let frame = mailbox.firstAfter(0); frame !== undefined; frame = mailbox.firstAfter(frame.number))
    texts.push(frameText(frame));
  return texts;
}

describe("a message that is added", () => {
  test("is numbered 1, 2, 3 …, and does not change for other receivers", () => {
    const mailbox = startMailbox();
    const message = body("a");
    const first = mailbox.add(message);
    expect(frameText(first)).toBe("a1");
    expect(first.binary).toBe(false);
    expect(frameText(mailbox.add(body("b")))).toBe("b2");
    expect(frameText(mailbox.add(message))).toBe("a3");
    expect(frameText(first)).toBe("a1");
  });

  test("waits until it is acknowledged, and those before it with it", () => {
    const mailbox = startMailbox();
    for (const words of ["a", "b", "c", "d"]) mailbox.add(body(words));
    expect(waiting(mailbox)).toEqual(["a1", "b2", "c3", "d4"]);
    mailbox.acknowledge(2);
    expect(waiting(mailbox)).toEqual(["c3", "d4"]);
    mailbox.acknowledge(1);
    expect(waiting(mailbox)).toEqual(["c3", "d4"]);
    mailbox.acknowledge(4);
    expect(waiting(mailbox)).toEqual([]);
    expect(frameText(mailbox.add(body("e")))).toBe("e5");
  });

  test("stays after an acknowledgement of 0, and goes after one of a number that was never sent", () => {
    const mailbox = startMailbox();
    mailbox.add(body("a"));
    mailbox.acknowledge(0);
    expect(waiting(mailbox)).toEqual(["a1"]);
    mailbox.acknowledge(Number.MAX_SAFE_INTEGER);
    expect(waiting(mailbox)).toEqual([]);
    mailbox.add(body("b"));
    expect(waiting(mailbox)).toEqual(["b2"]);
  });
});

describe("a mailbox", () => {
  test("has room for maxMailboxMessages messages and no more", () => {
    const mailbox = startMailbox({ maxMailboxMessages: 2 });
    mailbox.add(body("a"));
    expect(mailbox.makeRoomFor(1)).toBe(true);
    mailbox.add(body("b"));
    expect(mailbox.makeRoomFor(1)).toBe(false);
    mailbox.acknowledge(1);
    expect(mailbox.makeRoomFor(1)).toBe(true);
  });

  test("has room for maxMailboxBytes bytes and no more", () => {
    const mailbox = startMailbox({ maxMailboxBytes: 10 });
    mailbox.add(body("1234"));
    expect([mailbox.makeRoomFor(6), mailbox.makeRoomFor(7)]).toEqual([true, false]);
    mailbox.add(body("123456"));
    expect([mailbox.makeRoomFor(0), mailbox.makeRoomFor(1)]).toEqual([true, false]);
    mailbox.acknowledge(1);
    expect([mailbox.makeRoomFor(4), mailbox.makeRoomFor(5)]).toEqual([true, false]);
  });

  test("could keep a message that it has no room for now, up to its whole size", () => {
    const mailbox = startMailbox({ maxMailboxBytes: 10 });
    mailbox.add(body("12345"));
    expect([mailbox.makeRoomFor(10), mailbox.couldKeep(10), mailbox.couldKeep(11)]).toEqual([false, true, false]);
  });

  test("that makes room drops as few of the oldest as necessary, and counts them as lost", () => {
    const mailbox = startMailbox({ maxMailboxBytes: 10 });
    for (const words of ["123", "456", "789"]) mailbox.add(body(words));
    mailbox.dropOldestFor(1);
    expect(tellsOfNoLoss(mailbox)).toBe(true);
    mailbox.dropOldestFor(2);
    expect(waiting(mailbox)).toEqual(["4562", "7893"]);
    expect(tellsOfNoLoss(mailbox)).toBe(false);
  });

  test("that makes room for more than it holds is empty in the end", () => {
    const mailbox = startMailbox({ maxMailboxBytes: 10 });
    mailbox.add(body("123"));
    mailbox.dropOldestFor(11);
    expect(waiting(mailbox)).toEqual([]);
  });

  test("knows that its client acknowledges from the first acknowledgement on, be it of nothing", () => {
    const mailbox = startMailbox();
    mailbox.add(body("a"));
    expect(mailbox.isAcknowledging).toBe(false);
    mailbox.acknowledge(0);
    expect(mailbox.isAcknowledging).toBe(true);
  });

  test("tells of a loss until its client knows of it", () => {
    const mailbox = startMailbox();
    expect(tellsOfNoLoss(mailbox)).toBe(true);
    mailbox.countLoss();
    expect([tellsOfNoLoss(mailbox), tellsOfNoLoss(mailbox)]).toEqual([false, false]);
    mailbox.markLossSeen();
    expect(tellsOfNoLoss(mailbox)).toBe(true);
  });

  test("counts as seen only the losses that were reported", () => {
    const mailbox = startMailbox();
    expect(tellsOfNoLoss(mailbox)).toBe(true);
    mailbox.countLoss();
    mailbox.markLossSeen();
    expect(tellsOfNoLoss(mailbox)).toBe(false);
  });
});

test("whatever is added, acknowledged and dropped, the newest messages stay, in order and within limits", () => {
  const step = fc.oneof(
    fc.record({ add: fc.nat({ max: 12 }) }),
    fc.record({ acknowledge: fc.nat({ max: 300 }) }),
    fc.record({ makeRoomFor: fc.nat({ max: 12 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const mailbox = startMailbox({ maxMailboxMessages: 90, maxMailboxBytes: 500 });
      let model: { readonly id: number; readonly size: number }[] = [];
      let lastId = 0;
      const fits = (size: number): boolean =>
        model.length < 90 && model.reduce((sum, each) => sum + each.size, 0) + size <= 500;
      for (const each of steps) {
        if ("add" in each) {
          if (!mailbox.makeRoomFor(each.add)) continue;
          mailbox.add(body("x".repeat(each.add)));
          model.push({ id: ++lastId, size: each.add });
        } else if ("acknowledge" in each) {
          mailbox.acknowledge(each.acknowledge);
          model = model.filter(({ id }) => id > each.acknowledge);
        } else {
          mailbox.dropOldestFor(each.makeRoomFor);
          while (model.length > 0 && !fits(each.makeRoomFor)) model.shift();
        }
        expect(mailbox.makeRoomFor(5)).toBe(fits(5));
      }
      expect(waiting(mailbox)).toEqual(model.map(({ id, size }) => `${"x".repeat(size)}${id}`));
    }),
    { numRuns: 300 },
  );
});
