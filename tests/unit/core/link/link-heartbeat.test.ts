import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CLOSE_CODES } from "../../../../src/core/link/close-codes.ts";
import { Heartbeat } from "../../../../src/core/link/heartbeat.ts";
import { passBeats, withoutPing } from "../../fakes.ts";
import { openLink, text } from "./open-link.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the heartbeat of a link", () => {
  test("drops a silent connection without a close frame, and reports the beats that it missed", () => {
    const { connection, owner, link } = openLink();
    passBeats(4);
    expect(connection.did).toEqual(["ping", "ping", "ping", "terminate"]);
    expect(owner.events).toEqual(["missed 1", "missed 2", "missed 3"]);
    expect(owner.endings).toEqual([{ by: "heartbeat", code: 1006, reason: "3 beats missed", mayReturn: true }]);
    expect(link.hasEnded).toBe(true);
  });

  test.each(["frame", "pong"])("starts again with each %s", (sign) => {
    const { connection, link } = openLink();
    for (let times = 0; times < 5; times++) {
      passBeats(3.7);
      if (sign === "frame") link.onMessage("x", false);
      else link.onPong();
    }
    expect(connection.count("terminate")).toBe(0);
  });

  test("does not count frames of the relay as a sign of life", () => {
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

  test("drops no silent connection if the runtime pings by itself", () => {
    const { connection, owner } = openLink({}, withoutPing);
    passBeats(50);
    expect([connection.did, owner.events, owner.endings]).toEqual([[], [], []]);
  });

  test.each(["onPeerClosing", "onSocketGone", "startClosing", "lost"])("forgets a link that ended by %s", (how) => {
    const remove = vi.spyOn(Heartbeat.prototype, "remove");
    const { link } = openLink();
    if (how === "startClosing") link.startClosing(CLOSE_CODES.goingAway);
    else if (how === "lost") passBeats(4);
    else link[how === "onPeerClosing" ? "onPeerClosing" : "onSocketGone"](1000, "");
    link.onSocketGone(1006, "");
    expect(remove.mock.calls).toEqual([[link]]);
    remove.mockRestore();
  });

  test("does not monitor a link that ended", () => {
    const { connection, link } = openLink();
    link.onSocketGone(1000, "");
    passBeats(10);
    expect(connection.did).toEqual([]);
  });
});

test("the owner gets onBeat at least once a beat, silent or talking, until the link ends", () => {
  const { owner, link } = openLink();
  for (let tenths = 0; tenths < 50; tenths++) {
    link.onMessage("x", false);
    passBeats(0.1);
  }
  expect(owner.beats).toBeGreaterThanOrEqual(5);
  link.onSocketGone(1000, "");
  const { beats } = owner;
  passBeats(5);
  expect(owner.beats).toBe(beats);
});

test("a pong is reported, and is no message", () => {
  const { owner, link } = openLink();
  link.onPong();
  expect(owner.events).toEqual(["ponged"]);
});
