import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BEAT_MS } from "../fakes.ts";
import { type JsonClient, startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Signs insecurely, but differently for each secret and each text. */
const signedBy = (secret: string) => ({
  sign: (text: string): string =>
    [...`${secret}${text}`].reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) | 0, 7).toString(16),
});

const ours = { signer: signedBy("ours") };

/** Matches the first id that a relay with a signer gives. */
const FIRST = /^[0-9a-f]{8}-1$/;

describe("the token of an earlier process", () => {
  test("gives its client the same id, in a new session", () => {
    const { id, resumeToken } = startJsonRelay(ours).connectJson().welcome;
    const after = startJsonRelay(ours);
    expect(after.connectJson({ resume: resumeToken }).welcome).toMatchObject({ id, resumed: false, recovered: false });
  });

  test("gives the id even if other clients came first: none of them got an id of the earlier process", () => {
    const before = startJsonRelay(ours);
    const welcomes = Array.from({ length: 3 }, () => before.connectJson().welcome);
    const after = startJsonRelay(ours);
    const others = Array.from({ length: 5 }, () => after.connectJson().welcome.id);
    const back = welcomes.map(({ resumeToken }) => after.connectJson({ resume: resumeToken }).welcome.id);
    expect(back).toEqual(welcomes.map(({ id }) => id));
    expect(new Set([...others, ...back]).size).toBe(8);
  });

  test("is valid once", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const after = startJsonRelay(ours);
    const first = after.connectJson({ resume: resumeToken });
    first.leaves();
    expect(first.welcome.id).toBe("alice");
    expect(after.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
  });

  test("does not take the id from a session that has it", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const after = startJsonRelay(ours);
    const holder = after.connectJson({ id: "alice" });
    expect(after.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
    expect(holder.did).not.toContain("close 4500");
  });

  test("does not give its id to a client with another id from the app", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    expect(startJsonRelay(ours).connectJson({ resume: resumeToken, id: "bob" }).welcome.id).toBe("bob");
  });

  test("is not valid if it was changed or signed with another secret, or if the relay has no signer", () => {
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

  test("is not valid five minutes after the start", () => {
    const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const after = startJsonRelay(ours);
    vi.advanceTimersByTime(300_001);
    expect(after.connectJson({ resume: resumeToken }).welcome.id).toMatch(FIRST);
  });
});

const HALF_AN_HOUR = 1_800_000;
const HOUR = 3_600_000;

describe("of two tokens of one session, the one that was issued later", () => {
  /** Returns two tokens of alice's session: one that is used up, and the one that replaced it. */
  function issueTwo() {
    const before = startJsonRelay(ours);
    const first = before.connectJson({ id: "alice" });
    first.vanishes();
    const second = before.connectJson({ resume: first.welcome.resumeToken });
    second.asks({ type: "pong" });
    return { stolen: first.welcome.resumeToken, latest: second.welcome.resumeToken };
  }

  test("takes the id and its mail from a client with the earlier token, which closes with 4500", () => {
    const { stolen, latest } = issueTwo();
    const after = startJsonRelay(ours);
    const sender = after.connectJson();
    const thief = after.connectJson({ resume: stolen });
    expect(thief.welcome.id).toBe("alice");
    sender.sends("alice", "for alice", 1);
    const owner = after.connectJson({ resume: latest });
    expect(owner.welcome).toMatchObject({ id: "alice", resumed: false, recovered: false });
    expect([thief.did.at(-1), owner.data]).toEqual(["close 4500", ["for alice"]]);
    for (const resume of [stolen, thief.welcome.resumeToken]) {
      expect(after.connectJson({ resume }).welcome.id).toMatch(/^[0-9a-f]{8}-/);
    }
    expect(owner.did).not.toContain("close 4500");
  });

  test("blocks the earlier token, even after its session has ended", () => {
    const { stolen, latest } = issueTwo();
    const after = startJsonRelay(ours);
    const owner = after.connectJson({ resume: latest });
    expect(after.connectJson({ resume: stolen }).welcome.id).toMatch(FIRST);
    owner.leaves();
    expect(after.connectJson({ resume: stolen }).welcome.id).not.toBe("alice");
    expect(after.connectJson({ resume: latest }).welcome.id).not.toBe("alice");
  });

  test("wins in the next process, too, however many tokens a thief got in this one", () => {
    const { stolen, latest } = issueTwo();
    const after = startJsonRelay(ours);
    let thief = after.connectJson({ resume: stolen });
    for (let times = 0; times < 10; times++) thief = after.resume(thief);
    expect(thief.welcome).toMatchObject({ id: "alice", resumed: true });
    const owner = after.connectJson({ resume: latest });
    const next = startJsonRelay(ours);
    expect(next.connectJson({ resume: thief.welcome.resumeToken }).welcome.id).toBe("alice");
    expect(next.connectJson({ resume: owner.welcome.resumeToken }).welcome.id).toBe("alice");
    expect(next.connectJson({ resume: thief.welcome.resumeToken }).welcome.id).not.toBe("alice");
  });
});

describe("a token of an earlier process that is repeated", () => {
  test("gives the id again to a client that never saw its welcome", () => {
    const { resumeToken: resume } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const { connectJson } = startJsonRelay(ours);
    const sender = connectJson();
    connectJson({ resume }).vanishes();
    sender.sends("alice", "queued", 1);
    const back = connectJson({ resume });
    expect(back.welcome).toMatchObject({ id: "alice", resumed: false });
    expect(back.data).toEqual(["queued"]);
    const later = connectJson({ resume, attempt: 1 });
    expect([later.welcome.id, later.data, back.did.at(-1)]).toEqual(["alice", ["queued"], "close 4500"]);
    expect(connectJson({ resume, attempt: 1 }).did).toEqual(["close 4500"]);
  });

  test("gives nothing after the client has seen its welcome", () => {
    const { resumeToken: resume } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
    const { connectJson } = startJsonRelay(ours);
    const client = connectJson({ resume });
    client.asks({ type: "pong" });
    client.vanishes();
    expect(connectJson({ resume }).welcome.id).toMatch(FIRST);
  });
});

describe("the age of a signed token", () => {
  test("is an hour at most: after that the token gives no id", () => {
    for (const [age, id] of [
      [HOUR, "alice"],
      [HOUR + 1, expect.stringMatching(FIRST)],
    ]) {
      const { resumeToken } = startJsonRelay(ours).connectJson({ id: "alice" }).welcome;
      vi.advanceTimersByTime(Number(age));
      expect(startJsonRelay(ours).connectJson({ resume: resumeToken }).welcome.id).toEqual(id);
    }
  });

  test("is kept below half an hour while the client is connected; the token before stays good until the next", () => {
    const before = startJsonRelay(ours);
    const client = before.connectJson({ id: "alice" });
    client.asks({ type: "pong" });
    passBeatsOf(client, HALF_AN_HOUR);
    expect(client.all("resumeToken")).toEqual([]);
    passBeatsOf(client, 20_000);
    const [refreshed] = client.all("resumeToken");
    client.vanishes();
    const back = before.connectJson({ resume: client.welcome.resumeToken });
    expect(back.welcome).toMatchObject({ id: "alice", resumed: true });
    expect(before.connectJson({ resume: refreshed?.resumeToken }).welcome.resumed).toBe(false);
    passBeatsOf(back, 2 * HOUR);
    const latest = back.all("resumeToken").at(-1)?.resumeToken;
    expect(startJsonRelay(ours).connectJson({ resume: latest }).welcome.id).toBe("alice");
  });

  test("is measured by a clock that may jump: connected clients have a good token a beat later", () => {
    for (const jump of [30 * HOUR, -30 * HOUR]) {
      const { connectJson } = startJsonRelay(ours);
      const client = connectJson({ id: "alice" });
      client.asks({ type: "pong" });
      vi.setSystemTime(Date.now() + jump);
      expect(startJsonRelay(ours).connectJson({ resume: client.welcome.resumeToken }).welcome.id).toMatch(FIRST);
      passBeatsOf(client, 20_000);
      const [refreshed, ...more] = client.all("resumeToken");
      expect(more).toEqual([]);
      expect(startJsonRelay(ours).connectJson({ resume: refreshed?.resumeToken }).welcome.id).toBe("alice");
    }
  });

  test("does not matter without a signer", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson();
    client.asks({ type: "pong" });
    passBeatsOf(client, 2 * HOUR);
    expect(client.all("resumeToken")).toEqual([]);
  });
});

/** Lets the time pass for a client that answers its pings. */
function passBeatsOf(client: JsonClient, ms: number): void {
  for (let passed = 0; passed < ms; passed += BEAT_MS) {
    vi.advanceTimersByTime(BEAT_MS);
    client.asks({ type: "pong" });
  }
}

test("a send to an id of before the start is temporary for five minutes, one to an id of this process is not", () => {
  const { id } = startJsonRelay(ours).connectJson().welcome;
  const { connectJson } = startJsonRelay(ours);
  const sender = connectJson();
  const gone = connectJson();
  gone.leaves();
  const temporary = (to: string, ackId: number) => sender.sends(to, "x", ackId)?.error?.temporary;
  expect([temporary(id, 1), temporary(gone.welcome.id, 2), temporary("alice", 3)]).toEqual([true, false, false]);
  passBeatsOf(sender, 305_000);
  expect(temporary(id, 4)).toBe(false);
});

test("a signed token of this process is used up like any other, and gives no id back after its session", () => {
  const { connectJson } = startJsonRelay(ours);
  const client = connectJson({ id: "alice" });
  client.leaves();
  const { id, resumed } = connectJson({ resume: client.welcome.resumeToken }).welcome;
  expect(id).toMatch(FIRST);
  expect(resumed).toBe(false);
});

test("random ids have 22 characters and are all different", () => {
  const { connectJson } = startJsonRelay({ ids: "random" });
  const ids = Array.from({ length: 1000 }, () => connectJson().welcome.id);
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
});
