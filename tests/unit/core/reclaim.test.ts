import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** No signature that anybody should use, but one that depends on the secret and on the text. */
const signedBy = (secret: string) => ({
  sign: (text: string): string =>
    [...`${secret}${text}`].reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) | 0, 7).toString(16),
});

const ours = { signer: signedBy("ours") };

/** The first id that a relay with a signer gives. */
const FIRST = /^[0-9a-f]{8}-1$/;

describe("the token of an earlier process", () => {
  test("gives its bearer the same id, as a new session", () => {
    const { id, resumeToken } = startJsonRelay(ours).connectJson().welcome;
    const after = startJsonRelay(ours);
    expect(after.connectJson({ resume: resumeToken }).welcome).toMatchObject({ id, resumed: false, recovered: false });
  });

  test("gives it also when others came first: none of them was given an id of the earlier process", () => {
    const before = startJsonRelay(ours);
    const welcomes = Array.from({ length: 3 }, () => before.connectJson().welcome);
    const after = startJsonRelay(ours);
    const others = Array.from({ length: 5 }, () => after.connectJson().welcome.id);
    const back = welcomes.map(({ resumeToken }) => after.connectJson({ resume: resumeToken }).welcome.id);
    expect(back).toEqual(welcomes.map(({ id }) => id));
    expect(new Set([...others, ...back]).size).toBe(8);
  });

  test("is good once", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const after = startJsonRelay(ours);
    const first = after.connectJson({ resume: resumeToken });
    first.leaves();
    expect(first.welcome.id).toBe("alice");
    expect(after.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
  });

  test("takes the id from nobody who has it", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const after = startJsonRelay(ours);
    const holder = after.connectJson({ id: "alice" });
    expect(after.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
    expect(holder.did).not.toContain("close 4500");
  });

  test("does not give an id to who may only have another", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    expect(startJsonRelay(ours).connectJson({ resume: resumeToken, id: "bob" }).welcome.id).toBe("bob");
  });

  test("is worth nothing where it was changed, signed by somebody else, or nothing is signed", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const forged = resumeToken.replace("alice", "admin");
    const cut = resumeToken.slice(0, -1);
    for (const token of [forged, cut, "!", `${resumeToken}!`]) {
      expect(startJsonRelay(ours).connectJson({ resume: token }).welcome.id).toMatch(FIRST);
    }
    const theirs = startJsonRelay({ signer: signedBy("theirs") });
    expect(theirs.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
    expect(startJsonRelay().connectJson({ resume: resumeToken }).welcome.id).toBe("1");
  });

  test("is worth nothing five minutes after the start", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const after = startJsonRelay(ours);
    vi.advanceTimersByTime(300_001);
    expect(after.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
  });
});

test("a signed token of this process is used up like any other, and gives no id back after its session", () => {
  const { connectJson } = startJsonRelay(ours);
  const client = connectJson({ id: "alice" });
  client.leaves();
  const { id, resumed } = connectJson({ resume: client.welcome.resumeToken }).welcome;
  expect(id).toMatch(FIRST);
  expect(resumed).toBe(false);
});

test("random ids are 22 characters that nobody can guess, each another", () => {
  const { connectJson } = startJsonRelay({ ids: "random" });
  const ids = Array.from({ length: 1000 }, () => connectJson().welcome.id);
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
});
