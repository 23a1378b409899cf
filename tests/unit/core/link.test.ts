import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CLOSE_CODES } from "../../../src/core/close-codes.ts";
import type { Connection } from "../../../src/core/connection.ts";
import { Frame } from "../../../src/core/frame.ts";
import type { Limits } from "../../../src/core/limits.ts";
import { type Ending, Link, type LinkOwner } from "../../../src/core/link.ts";
import { FakeConnection, FakeTurn, fakeCare, passBeats, withoutPing } from "../fakes.ts";

const CLOSE_TIMEOUT_MS = 2000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class FakeOwner implements LinkOwner {
  readonly events: string[] = [];
  readonly endings: Ending[] = [];
  /** What it throws at the next frame. */
  throws: Error | undefined = undefined;

  received(frame: Frame): void {
    if (this.throws !== undefined) throw this.throws;
    this.events.push(`received ${frame.payload}`);
  }
  ponged(): void {
    this.events.push("ponged");
  }
  missed(misses: number): void {
    this.events.push(`missed ${misses}`);
  }
  ended(ending: Ending): void {
    this.endings.push(ending);
  }
  failed(error: unknown): void {
    this.events.push(`failed ${error}`);
  }
}

function openLink(limits: Partial<Limits> = {}, seenAs = (connection: FakeConnection): Connection => connection) {
  const connection = new FakeConnection();
  const owner = new FakeOwner();
  const turn = new FakeTurn();
  const released: Link[] = [];
  const care = fakeCare(turn, limits, (link) => released.push(link));
  const link = new Link(seenAs(connection), care, owner);
  return { connection, owner, turn, released, link };
}

function text(words: string): Frame {
  return new Frame(words, false);
}

describe("a close by the relay", () => {
  test("comes after all that was sent before it, and nothing comes after", () => {
    const { connection, turn, link } = openLink();
    link.send(text("a"));
    link.send(text("b"));
    link.close(CLOSE_CODES.goingAway);
    expect(link.send(text("c"))).toBe(false);
    turn.end();
    expect(connection.did).toEqual(["write a,b", "close 1001"]);
    expect(connection.reasons).toEqual([CLOSE_CODES.goingAway.reason]);
  });

  test("ends the link at once and only once, whatever the socket reports later", () => {
    const { connection, owner, link } = openLink();
    link.close(CLOSE_CODES.goingAway);
    link.close(CLOSE_CODES.internal);
    link.closing(1001, "");
    link.closed(1001, "");
    expect(connection.did).toEqual(["close 1001"]);
    expect(owner.endings).toEqual([{ by: "relay", code: 1001, reason: CLOSE_CODES.goingAway.reason }]);
    expect(link.ended).toBe(true);
  });

  test("that the client does not answer drops the socket after closeTimeoutMs", () => {
    const { connection, released, link } = openLink();
    link.close(CLOSE_CODES.goingAway);
    vi.advanceTimersByTime(CLOSE_TIMEOUT_MS - 1);
    expect(connection.did).toEqual(["close 1001"]);
    vi.advanceTimersByTime(1);
    expect(connection.did).toEqual(["close 1001", "terminate"]);
    expect(released).toEqual([]);
    link.closed(1006, "");
    expect(released).toEqual([link]);
  });

  test("that the client answers in time leaves no timer and drops nothing", () => {
    const { connection, released, link } = openLink();
    link.close(CLOSE_CODES.goingAway);
    link.closed(1001, "");
    link.closed(1001, "");
    vi.advanceTimersByTime(10 * CLOSE_TIMEOUT_MS);
    expect(connection.did).toEqual(["close 1001"]);
    expect(released).toEqual([link]);
  });

  test("is the relay's also where the runtime reports it at once, and leaves no timer", () => {
    const { connection, owner, link } = openLink();
    connection.close = (code, reason) => link.closed(code, reason);
    link.close(CLOSE_CODES.goingAway);
    expect(owner.endings).toMatchObject([{ by: "relay", code: 1001 }]);
    vi.advanceTimersByTime(10 * CLOSE_TIMEOUT_MS);
    expect(connection.count("terminate")).toBe(0);
  });
});

describe("a close by the client", () => {
  test("ends the link when its close frame comes, before the socket is gone", () => {
    const { connection, owner, released, turn, link } = openLink();
    link.send(text("a"));
    link.closing(1000, "bye");
    expect(owner.endings).toEqual([{ by: "client", code: 1000, reason: "bye" }]);
    expect(released).toEqual([]);
    turn.end();
    link.receive("late", false);
    link.pong();
    expect([connection.did, owner.events]).toEqual([[], []]);
    link.closed(1006, "");
    expect(owner.endings.length).toBe(1);
  });

  test("whose socket stays open is dropped after closeTimeoutMs", () => {
    const { connection, link } = openLink();
    link.closing(1000, "");
    vi.advanceTimersByTime(CLOSE_TIMEOUT_MS - 1);
    expect(connection.did).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(connection.did).toEqual(["terminate"]);
  });

  test("without a close frame is one with 1006", () => {
    const { owner, link } = openLink();
    link.closed(1006, "");
    expect(owner.endings).toEqual([{ by: "client", code: 1006, reason: "" }]);
  });

  test.each([1002, 1007, 1009])("that the runtime made of broken frames, with %i, is the relay's", (code) => {
    const { owner, link } = openLink();
    link.closed(code, "");
    expect(owner.endings).toMatchObject([{ by: "relay", code }]);
  });
});

describe("a message larger than maxMessageBytes", () => {
  test.each([
    ["1-byte", "a"],
    ["2-byte", "é"],
    ["3-byte", "好"],
    ["4-byte", "😀"],
  ])("in %s characters closes with 1009, and one of just that size is received", (_name, character) => {
    const words = character.repeat(12 / Buffer.byteLength(character));
    const fits = openLink({ maxMessageBytes: 12 });
    fits.link.receive(words, false);
    expect(fits.owner.events).toEqual([`received ${words}`]);
    expect(fits.connection.did).toEqual([]);

    const tooLarge = openLink({ maxMessageBytes: 12 });
    tooLarge.link.receive(`${words}a`, false);
    expect(tooLarge.owner.events).toEqual([]);
    expect(tooLarge.connection.did).toEqual(["close 1009"]);
    expect(tooLarge.owner.endings).toMatchObject([{ by: "relay", code: 1009 }]);
  });

  test("in bytes closes with 1009, and one of just that size is received", () => {
    const { connection, owner, link } = openLink({ maxMessageBytes: 12 });
    link.receive(new Uint8Array(12), true);
    expect(owner.events.length).toBe(1);
    link.receive(new Uint8Array(13), true);
    expect(owner.events.length).toBe(1);
    expect(connection.did).toEqual(["close 1009"]);
  });
});

test("what throws inside closes this connection with 1011 and is reported; nothing is thrown at the socket", () => {
  const { connection, owner, link } = openLink();
  owner.throws = new Error("a defect");
  expect(() => link.receive("x", false)).not.toThrow();
  expect(owner.events).toEqual(["failed Error: a defect"]);
  expect(connection.did).toEqual(["close 1011"]);
  expect(owner.endings).toMatchObject([{ by: "relay", code: 1011 }]);
});

describe("the heartbeat of a link", () => {
  test("drops a silent connection without a close frame, and says how many beats it missed", () => {
    const { connection, owner, link } = openLink();
    passBeats(4);
    expect(connection.did).toEqual(["ping", "ping", "ping", "terminate"]);
    expect(owner.events).toEqual(["missed 1", "missed 2", "missed 3"]);
    expect(owner.endings).toEqual([{ by: "heartbeat", code: 1006, reason: "3 beats missed" }]);
    expect(link.ended).toBe(true);
  });

  test.each(["frame", "pong"])("starts anew with each %s", (sign) => {
    const { connection, link } = openLink();
    for (let times = 0; times < 5; times++) {
      passBeats(3.7);
      if (sign === "frame") link.receive("x", false);
      else link.pong();
    }
    expect(connection.count("terminate")).toBe(0);
  });

  test("does not take what the relay sends for a sign of life", () => {
    const { connection, turn, link } = openLink();
    for (let halves = 0; halves < 8; halves++) {
      link.send(text("x"));
      turn.end();
      passBeats(0.5);
    }
    expect(connection.count("terminate")).toBe(1);
  });

  test("keeps a client whose large frame is still arriving", () => {
    const { connection, owner } = openLink();
    for (let beats = 0; beats < 10; beats++) {
      connection.arrivedBytes += 1;
      passBeats(1);
    }
    expect([owner.events, owner.endings]).toEqual([[], []]);
    passBeats(4);
    expect(owner.endings).toMatchObject([{ by: "heartbeat" }]);
  });

  test("drops nobody for silence where the runtime pings by itself", () => {
    const { connection, owner } = openLink({}, withoutPing);
    passBeats(50);
    expect([connection.did, owner.events, owner.endings]).toEqual([[], [], []]);
  });

  test("does not look after a link that ended", () => {
    const { connection, link } = openLink();
    link.closed(1000, "");
    passBeats(10);
    expect(connection.did).toEqual([]);
  });
});

test("a pong is reported, and is no message", () => {
  const { owner, link } = openLink();
  link.pong();
  expect(owner.events).toEqual(["ponged"]);
});
