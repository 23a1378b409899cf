import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CLOSE_CODES } from "../../../../src/core/link/close-codes.ts";
import { openLink, text } from "./open-link.ts";

const CLOSE_TIMEOUT_MS = 2000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a close by the relay", () => {
  test("comes after all frames that were sent before, and no frame comes after it", () => {
    const { connection, turn, link } = openLink();
    link.send(text("a"));
    link.send(text("b"));
    link.startClosing(CLOSE_CODES.goingAway);
    expect(link.send(text("c"))).toBe(false);
    turn.end();
    expect(connection.did).toEqual(["write a,b", "close 1001"]);
    expect(connection.reasons).toEqual([CLOSE_CODES.goingAway.reason]);
  });

  test("ends the link at once and only once, whatever the socket reports later", () => {
    const { connection, owner, link } = openLink();
    link.startClosing(CLOSE_CODES.goingAway);
    link.startClosing(CLOSE_CODES.internal);
    link.onPeerClosing(1001, "");
    link.onSocketGone(1001, "");
    expect(connection.did).toEqual(["close 1001"]);
    expect(owner.endings).toEqual([
      { by: "relay", code: 1001, reason: CLOSE_CODES.goingAway.reason, mayReturn: false },
    ]);
    expect(link.hasEnded).toBe(true);
  });

  test("that the client does not answer drops the socket after closeTimeoutMs", () => {
    const { connection, released, link } = openLink();
    link.startClosing(CLOSE_CODES.goingAway);
    vi.advanceTimersByTime(CLOSE_TIMEOUT_MS - 1);
    expect(connection.did).toEqual(["close 1001"]);
    vi.advanceTimersByTime(1);
    expect(connection.did).toEqual(["close 1001", "terminate"]);
    expect(released).toEqual([]);
    link.onSocketGone(1006, "");
    expect(released).toEqual([link]);
  });

  test("that the client answers in time leaves no timer and drops nothing", () => {
    const { connection, released, link } = openLink();
    link.startClosing(CLOSE_CODES.goingAway);
    link.onSocketGone(1001, "");
    link.onSocketGone(1001, "");
    vi.advanceTimersByTime(10 * CLOSE_TIMEOUT_MS);
    expect(connection.did).toEqual(["close 1001"]);
    expect(released).toEqual([link]);
  });

  test("counts as the relay's even if the runtime reports the close immediately, and leaves no timer", () => {
    const { connection, owner, link } = openLink();
    connection.close = (code, reason) => link.onSocketGone(code, reason);
    link.startClosing(CLOSE_CODES.goingAway);
    expect(owner.endings).toMatchObject([{ by: "relay", code: 1001 }]);
    vi.advanceTimersByTime(10 * CLOSE_TIMEOUT_MS);
    expect(connection.count("terminate")).toBe(0);
  });
});

describe("a close by the client", () => {
  test("ends the link when its close frame comes, before the socket is gone", () => {
    const { connection, owner, released, turn, link } = openLink();
    link.send(text("a"));
    link.onPeerClosing(1000, "bye");
    expect(owner.endings).toEqual([{ by: "client", code: 1000, reason: "bye", mayReturn: false }]);
    expect(released).toEqual([]);
    turn.end();
    link.onMessage("late", false);
    link.onPong();
    expect([connection.did, owner.events]).toEqual([[], []]);
    link.onSocketGone(1006, "");
    expect(owner.endings.length).toBe(1);
  });

  test("whose socket stays open is dropped after closeTimeoutMs", () => {
    const { connection, link } = openLink();
    link.onPeerClosing(1000, "");
    vi.advanceTimersByTime(CLOSE_TIMEOUT_MS - 1);
    expect(connection.did).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(connection.did).toEqual(["terminate"]);
  });

  test("without a close frame is one with 1006", () => {
    const { owner, link } = openLink();
    link.onSocketGone(1006, "");
    expect(owner.endings).toEqual([{ by: "client", code: 1006, reason: "", mayReturn: true }]);
  });

  test.each([1002, 1007, 1009])(
    "that the runtime sent because of a broken frame, with %i, counts as the relay's",
    (code) => {
      const { owner, link } = openLink();
      link.onSocketGone(code, "");
      expect(owner.endings).toMatchObject([{ by: "relay", code }]);
    },
  );
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
    fits.link.onMessage(words, false);
    expect(fits.owner.events).toEqual([`received ${words}`]);
    expect(fits.connection.did).toEqual([]);

    const tooLarge = openLink({ maxMessageBytes: 12 });
    tooLarge.link.onMessage(`${words}a`, false);
    expect(tooLarge.owner.events).toEqual([]);
    expect(tooLarge.connection.did).toEqual(["close 1009"]);
    expect(tooLarge.owner.endings).toMatchObject([{ by: "relay", code: 1009 }]);
  });

  test("in bytes closes with 1009, and one of just that size is received", () => {
    const { connection, owner, link } = openLink({ maxMessageBytes: 12 });
    link.onMessage(new Uint8Array(12), true);
    expect(owner.events.length).toBe(1);
    link.onMessage(new Uint8Array(13), true);
    expect(owner.events.length).toBe(1);
    expect(connection.did).toEqual(["close 1009"]);
  });
});

test("an error of the owner is reported and closes this connection with 1011; the socket never sees it", () => {
  const { connection, owner, link } = openLink();
  owner.throws = new Error("a defect");
  expect(() => link.onMessage("x", false)).not.toThrow();
  expect(owner.events).toEqual(["failed Error: a defect"]);
  expect(connection.did).toEqual(["close 1011"]);
  expect(owner.endings).toMatchObject([{ by: "relay", code: 1011 }]);
});

describe("a close code of the client", () => {
  test.each([1006, 4000, 4001, 4499])("%i lets its session be resumed", (code) => {
    const { owner, link } = openLink();
    link.onPeerClosing(code, "");
    expect(owner.endings).toMatchObject([{ by: "client", mayReturn: true }]);
  });

  test.each([1000, 1001, 1005, 1011, 3000, 3999, 4500, 4999])("%i ends its session", (code) => {
    const { owner, link } = openLink();
    link.onPeerClosing(code, "");
    expect(owner.endings).toMatchObject([{ by: "client", mayReturn: false }]);
  });
});

describe("a close code of the relay", () => {
  test.each(Object.values(CLOSE_CODES))(
    "$code lets the client return to its session only from 4000 to 4499",
    (closeCode) => {
      const { owner, link } = openLink();
      link.startClosing(closeCode);
      expect(owner.endings).toMatchObject([{ mayReturn: closeCode.code >= 4000 && closeCode.code <= 4499 }]);
    },
  );
});

test("a frame that must not be refused is sent despite a full backlog, and not after the end", () => {
  const { connection, turn, link } = openLink({ maxBufferedBytes: 1 });
  connection.waitingBytes = 2;
  expect(link.send(text("refused"))).toBe(false);
  link.sendUnchecked(text("welcome"));
  turn.end();
  link.onSocketGone(1006, "");
  link.sendUnchecked(text("late"));
  turn.end();
  expect(connection.did).toEqual(["write welcome"]);
});
