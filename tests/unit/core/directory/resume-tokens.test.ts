import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ResumeTokens } from "../../../../src/core/directory/resume-tokens.ts";
import { fakeSession } from "../../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a token", () => {
  test("resumes its session and no other", () => {
    const tokens = new ResumeTokens();
    const [three, seven] = [fakeSession("3"), fakeSession("7")];
    const [third, seventh] = [tokens.issue(three), tokens.issue(seven)];
    expect(tokens.find(third)).toBe(three);
    expect(tokens.find(seventh)).toBe(seven);
  });

  test("cannot be guessed: 24 random bytes behind the key of its session, without escapes in a URL", () => {
    const tokens = new ResumeTokens();
    const issued = Array.from({ length: 1000 }, () => tokens.issue(fakeSession("3")));
    expect(new Set(issued).size).toBe(1000);
    for (const token of issued) expect(token).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each(["", "x", "constructor", "__proto__"])("is not %j", (token) => {
    const tokens = new ResumeTokens();
    tokens.issue(fakeSession("3"));
    expect(tokens.find(token)).toBeUndefined();
  });

  test("that resumed a session stays valid until the client shows that it got the next one", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const second = tokens.replaceOnResume(session, first);
    expect([tokens.find(first), tokens.find(second)]).toEqual([session, session]);
    expect(session.ticket?.markWelcomeSeen()).toBe(true);
    expect([tokens.find(first), tokens.find(second)]).toEqual([undefined, session]);
    expect(session.ticket?.markWelcomeSeen()).toBe(false);
  });

  test("stays valid through any number of resumes whose welcome was lost; their new tokens do not", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const unseen = Array.from({ length: 5 }, () => tokens.replaceOnResume(session, first));
    expect(tokens.find(first)).toBe(session);
    expect(unseen.map((token) => tokens.find(token))).toEqual([undefined, undefined, undefined, undefined, session]);
  });

  test("of a welcome is valid beside the one before, and once used it is the only valid one", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const second = tokens.replaceOnResume(session, first);
    const third = tokens.replaceOnResume(session, second);
    expect([first, second, third].map((token) => tokens.find(token))).toEqual([undefined, session, session]);
  });

  test("is not valid once its session has ended, nor is the one before it", () => {
    const tokens = new ResumeTokens();
    const session = fakeSession("3");
    const first = tokens.issue(session);
    const second = tokens.replaceOnResume(session, first);
    tokens.revoke(session);
    expect([tokens.find(first), tokens.find(second)]).toEqual([undefined, undefined]);
  });
});

describe("the session that a token was issued for", () => {
  test("is found by a token that is used up, too, and by no token of another session", () => {
    const tokens = new ResumeTokens();
    const [three, seven] = [fakeSession("3"), fakeSession("7")];
    const first = tokens.issue(three);
    tokens.issue(seven);
    tokens.replaceOnResume(three, first);
    three.ticket?.markWelcomeSeen();
    expect(tokens.find(first)).toBeUndefined();
    expect(tokens.trace(first)).toBe(three);
    expect(tokens.trace("0".repeat(64))).toBeUndefined();
  });

  test("is remembered for a minute after its end if its client numbers its attempts", () => {
    const tokens = new ResumeTokens();
    const [counted, other] = [fakeSession("3"), fakeSession("7")];
    const [token, others] = [tokens.issue(counted), tokens.issue(other)];
    counted.recordAttempt(4);
    for (const session of [counted, other]) tokens.revoke(session);
    expect([tokens.find(token), tokens.trace(others)]).toEqual([undefined, undefined]);
    expect(tokens.trace(token)).toMatchObject({ id: "3", attempt: 4 });
    vi.advanceTimersByTime(60_001);
    expect(tokens.trace(token)).toBeUndefined();
  });

  test("is remembered for 4,096 ended sessions, the oldest of which is forgotten first", () => {
    const tokens = new ResumeTokens();
    const issued = Array.from({ length: 4097 }, (_, index) => {
      const session = fakeSession(String(index));
      session.recordAttempt(1);
      const token = tokens.issue(session);
      tokens.revoke(session);
      return token;
    });
    expect(issued.slice(0, 2).map((token) => tokens.trace(token)?.id)).toEqual([undefined, "1"]);
    expect(tokens.trace(issued.at(-1) ?? "")?.id).toBe("4096");
  });
});
