import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ResumeTokens } from "../../../src/core/resume-tokens.ts";
import { fakeSession } from "../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a token", () => {
  test("stands for its session and no other", () => {
    const tokens = new ResumeTokens();
    const [three, seven] = [fakeSession("3"), fakeSession("7")];
    const [third, seventh] = [tokens.issue(three), tokens.issue(seven)];
    expect(tokens.find(third)).toBe(three);
    expect(tokens.find(seventh)).toBe(seven);
  });

  test("cannot be guessed: 24 random bytes, which need no escape in a URL", () => {
    const tokens = new ResumeTokens();
    const issued = Array.from({ length: 1000 }, () => tokens.issue(fakeSession("3")));
    expect(new Set(issued).size).toBe(1000);
    for (const token of issued) expect(token).toMatch(/^[0-9a-f]{48}$/);
  });

  test.each(["", "x", "constructor", "__proto__"])("is not %j", (token) => {
    const tokens = new ResumeTokens();
    tokens.issue(fakeSession("3"));
    expect(tokens.find(token)).toBeUndefined();
  });

  test("that a session was resumed with stays good until the client shows that it got the next", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const second = tokens.issue(session, first);
    expect([tokens.find(first), tokens.find(second)]).toEqual([session, session]);
    expect(tokens.confirm(session)).toBe(true);
    expect([tokens.find(first), tokens.find(second)]).toEqual([undefined, session]);
    expect(tokens.confirm(session)).toBe(false);
  });

  test("stays good through any number of resumes whose welcome was lost, and no other piles up", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const unseen = Array.from({ length: 5 }, () => tokens.issue(session, first));
    expect(tokens.find(first)).toBe(session);
    expect(unseen.map((token) => tokens.find(token))).toEqual([undefined, undefined, undefined, undefined, session]);
  });

  test("that came with a welcome is as good as the one before, and once used it is the only one that stays", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const second = tokens.issue(session, first);
    const third = tokens.issue(session, second);
    expect([first, second, third].map((token) => tokens.find(token))).toEqual([undefined, session, session]);
  });

  test("is no good once its session is over, the one before it neither", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const second = tokens.issue(session, first);
    tokens.revoke(session);
    expect([tokens.find(first), tokens.find(second)]).toEqual([undefined, undefined]);
  });
});
