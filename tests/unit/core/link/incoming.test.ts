import { describe, expect, test } from "vitest";
import { Incoming, maxRawBytes } from "../../../../src/core/link/incoming.ts";
import { MemoryBudget } from "../../../../src/core/link/memory-budget.ts";
import { openLink, text } from "./open-link.ts";

const MEBIBYTE = 1_048_576;

describe("an incomplete message", () => {
  test("counts in the memory budget until it is released, half a byte for each", () => {
    const budget = new MemoryBudget({ maxTotalBufferedBytes: 16 * MEBIBYTE });
    const incoming = new Incoming(budget);
    expect(incoming.waitingSince).toBe(Number.POSITIVE_INFINITY);
    expect(incoming.hold(1000, Number.POSITIVE_INFINITY)).toBe(true);
    const { waitingSince } = incoming;
    expect(incoming.hold(3000, Number.POSITIVE_INFINITY)).toBe(true);
    expect(budget.bytes).toBe(1500);
    expect(incoming.waitingSince).toBe(waitingSince);
    incoming.release();
    expect(budget.bytes).toBe(0);
    expect(incoming.waitingSince).toBe(Number.POSITIVE_INFINITY);
  });

  test("is refused if the budget has no room, and its count stays as before", () => {
    const budget = new MemoryBudget({ maxTotalBufferedBytes: MEBIBYTE });
    const incoming = new Incoming(budget);
    expect(incoming.hold(100_000, Number.POSITIVE_INFINITY)).toBe(true);
    expect(incoming.hold(900_000, Number.POSITIVE_INFINITY)).toBe(false);
    expect(budget.bytes).toBe(50_000);
  });
});

describe("a link whose message is incomplete", () => {
  test("is closed with 1008 when more bytes came than any message needs", () => {
    const { link, connection } = openLink({ maxMessageBytes: 1000 });
    expect(link.onPartialMessage(10, maxRawBytes(1000))).toBe(true);
    expect(link.onPartialMessage(10, maxRawBytes(1000) + 1)).toBe(false);
    expect(connection.did).toEqual(["close 1008"]);
  });

  test("is closed with 4003 when there is no memory for the message; others are served", () => {
    const { link, connection } = openLink({ maxTotalBufferedBytes: MEBIBYTE });
    expect(link.onPartialMessage(900_000, 900_000)).toBe(false);
    expect(connection.did).toEqual(["close 4003"]);
  });

  test("counts as waiting until the message is complete", () => {
    const { link } = openLink();
    expect(link.waitingSince).toBe(Number.POSITIVE_INFINITY);
    link.onPartialMessage(100_000, 100_000);
    expect(link.waitingSince).toBeLessThanOrEqual(performance.now());
    link.onPartialMessage(0, 0);
    expect(link.waitingSince).toBe(Number.POSITIVE_INFINITY);
  });

  test("that is evicted is dropped at once, and gives back what it held", () => {
    const { link, connection } = openLink();
    link.onPartialMessage(100_000, 100_000);
    link.evict();
    expect(connection.did).toEqual(["close 4000", "terminate"]);
    expect(link.waitingSince).toBe(Number.POSITIVE_INFINITY);
    expect(link.send(text("a"))).toBe(false);
  });

  test("lets the runtime hold nothing more when the socket is gone", () => {
    const { link } = openLink();
    link.onPartialMessage(100_000, 100_000);
    link.onSocketGone(1006, "");
    expect(link.waitingSince).toBe(Number.POSITIVE_INFINITY);
    expect(link.onPartialMessage(200_000, 200_000)).toBe(false);
  });
});
