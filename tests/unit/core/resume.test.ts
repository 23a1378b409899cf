import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { plain } from "../../../src/core/protocol/plain.ts";
import { text } from "../../../src/core/protocol/text.ts";
import { startJsonRelay } from "../json-client.ts";

const RESUME_MS = 30_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a client that lost its connection", () => {
  test("gets the same id back, and missed messages before new ones, in order and with their numbers", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const [sender, lost] = [connect(), connectJson()];
    sender.says("2:before");
    lost.vanishes();
    sender.says("2:missed one");
    sender.says("2:missed two");
    const back = resume(lost);
    sender.says("2:new");
    expect(back.welcome).toMatchObject({ id: "2", resumed: true, recovered: true });
    expect(back.frames.map(({ type }) => type)).toEqual(["welcome", "message", "message", "message", "message"]);
    expect(back.data).toEqual(["before", "missed one", "missed two", "new"]);
    expect(back.all("message").map(({ sequenceId }) => sequenceId)).toEqual([1, 2, 3, 4]);
    expect(sender.heard).toEqual([]);
  });

  test("does not get messages again that it acknowledged", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const [sender, lost] = [connect(), connectJson()];
    for (const words of ["one", "two", "three"]) sender.says(`2:${words}`);
    lost.asks({ type: "sequenceAck", sequenceId: 2 });
    lost.vanishes();
    sender.says("2:four");
    expect(resume(lost).data).toEqual(["three", "four"]);
  });

  test("gets all queued messages in one write behind its welcome", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const [sender, lost] = [connect(), connectJson()];
    lost.vanishes();
    for (let times = 0; times < 20; times++) sender.says(`2:${times}`);
    const back = resume(lost);
    expect(back.did.length).toBe(1);
    expect(back.data.length).toBe(20);
  });

  test("gets missed messages of bytes as bytes", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const [sender, lost] = [connect(), connectJson()];
    lost.vanishes();
    sender.says(new Uint8Array([0x32, 0x3a, 0, 255]));
    expect(resume(lost).all("message")).toMatchObject([{ data: "AP8=", encoding: "base64" }]);
  });

  test("takes over from a connection that is still open, which closes with 4500 and ends nothing", () => {
    const { relay, connect, connectJson, resume } = startJsonRelay();
    const [sender, old] = [connect(), connectJson()];
    const back = resume(old);
    expect(old.did.at(-1)).toBe("close 4500");
    old.link.onSocketGone(4500, "");
    old.says(JSON.stringify({ type: "send", to: "1", data: "from the grave" }));
    sender.says("2:hi");
    expect([back.data, old.data, sender.heard]).toEqual([["hi"], [], []]);
    expect(relay.holdings.sessions).toBe(2);
  });

  test("keeps its session when an earlier, delayed attempt to connect arrives: that one closes with 4500", () => {
    const { connectJson } = startJsonRelay();
    const lost = connectJson();
    const resume = lost.welcome.resumeToken;
    lost.vanishes();
    const back = connectJson({ resume, attempt: 2 });
    const late = connectJson({ resume, attempt: 1 });
    expect(back.welcome).toMatchObject({ id: "1", resumed: true });
    expect(late.did).toEqual(["close 4500"]);
    expect(back.did).not.toContain("close 4500");
  });

  test("keeps its session from a late attempt whose token is used up already", () => {
    const { relay, connectJson } = startJsonRelay();
    const lost = connectJson();
    const resume = lost.welcome.resumeToken;
    lost.vanishes();
    const back = connectJson({ resume, attempt: 2 });
    back.asks({ type: "pong" });
    const late = [connectJson({ resume, attempt: 1 }), connectJson({ resume, attempt: 2 })];
    expect(late.map(({ did }) => did)).toEqual([["close 4500"], ["close 4500"]]);
    expect(back.did).not.toContain("close 4500");
    expect(relay.holdings.sessions).toBe(1);
    expect(connectJson({ resume, attempt: 3 }).welcome).toMatchObject({ id: "2", resumed: false });
  });

  test("begins no session with a delayed attempt that comes after its session has ended", () => {
    const { relay, connectJson } = startJsonRelay();
    const lost = connectJson();
    const resume = lost.welcome.resumeToken;
    lost.vanishes();
    connectJson({ resume, attempt: 2 }).leaves();
    expect(connectJson({ resume, attempt: 1 }).did).toEqual(["close 4500"]);
    expect(relay.holdings.sessions).toBe(0);
    expect(connectJson({ resume }).welcome).toMatchObject({ id: "2", resumed: false });
  });

  test("may send at once, and its messages keep their order across the gap", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const [receiver, lost] = [connect(), connectJson()];
    lost.sends("1", "a", 1);
    lost.vanishes();
    const back = resume(lost);
    expect(back.sends("1", "b", 2)).toMatchObject({ ackId: 2, outcome: "delivered" });
    expect(receiver.heard).toEqual(["a", "b"]);
  });
});

describe("the token of a welcome", () => {
  test("is a new one in each welcome", () => {
    const { connectJson, resume } = startJsonRelay();
    const first = connectJson();
    const second = resume(first);
    expect(second.welcome.resumeToken).not.toBe(first.welcome.resumeToken);
  });

  test("is used up by the first frame on the connection that it opened", () => {
    const { connectJson, resume } = startJsonRelay();
    const first = connectJson();
    first.vanishes();
    const second = resume(first);
    second.asks({ type: "pong" });
    second.vanishes();
    const stranger = resume(first);
    expect(stranger.welcome).toMatchObject({ id: "2", resumed: false, recovered: false });
    expect(resume(second).welcome).toMatchObject({ id: "1", resumed: true });
  });

  test("resumes again and again for a client that never saw its welcome", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const lost = connectJson();
    const sender = connect();
    lost.vanishes();
    sender.says("1:missed");
    for (let times = 0; times < 5; times++) {
      const unheard = resume(lost);
      expect(unheard.welcome).toMatchObject({ id: "1", resumed: true, recovered: true });
      expect(unheard.data).toEqual(["missed"]);
      unheard.vanishes();
    }
  });

  test("resumes from each welcome that the client saw, even if no frame followed", () => {
    const { connectJson, resume } = startJsonRelay();
    let seen = connectJson();
    for (let times = 0; times < 5; times++) {
      seen.vanishes();
      seen = resume(seen);
      expect(seen.welcome).toMatchObject({ id: "1", resumed: true });
    }
  });

  test("resumes nothing if it is unknown: a new session begins and says so", () => {
    const { connectJson } = startJsonRelay();
    expect(connectJson({ resume: "0".repeat(48) }).welcome).toMatchObject({
      id: "1",
      resumed: false,
      recovered: false,
    });
    expect(connectJson({ resume: "" }).welcome).toMatchObject({ id: "2", resumed: false, recovered: false });
    expect(connectJson().welcome).toMatchObject({ id: "3", resumed: false, recovered: true });
  });

  test("resumes nothing in another subprotocol, and does not harm its session", () => {
    const { connect, connectJson, resume } = startJsonRelay();
    const lost = connectJson();
    lost.vanishes();
    const token = lost.welcome.resumeToken;
    for (const protocol of [plain, text]) connect({ protocol, resume: token }).says("1:hi");
    expect(resume(lost).data).toEqual(["hi", "hi"]);
  });

  test("resumes nothing for a client with another id from the app, and resumes for one with the same id", () => {
    const { connectJson } = startJsonRelay();
    const lost = connectJson({ id: "alice" });
    lost.vanishes();
    const resume = lost.welcome.resumeToken;
    expect(connectJson({ id: "bob", resume }).welcome).toMatchObject({ id: "bob", resumed: false });
    expect(connectJson({ id: "alice", resume }).welcome).toMatchObject({ id: "alice", resumed: true });
  });

  test("is not sent to clients of the plain and the text protocol", () => {
    const { connect, turn } = startJsonRelay();
    const [one, two] = [connect(), connect({ protocol: text })];
    turn.end();
    expect([one.heard, two.heard]).toEqual([[], [":welcome 2"]]);
  });
});

describe("a session that is away", () => {
  test("ends when its resume window is over, and its token with it", () => {
    const { relay, connect, connectJson, resume } = startJsonRelay({ resumeMs: RESUME_MS, heartbeatMs: 600_000 });
    const [sender, lost] = [connect(), connectJson()];
    lost.vanishes();
    vi.advanceTimersByTime(RESUME_MS - 1);
    expect(relay.holdings.sessions).toBe(2);
    vi.advanceTimersByTime(1);
    expect(relay.holdings.sessions).toBe(1);
    sender.says("2:too late");
    expect(sender.heard).toEqual([expect.stringContaining(":error no_such_id ")]);
    expect(resume(lost).welcome).toMatchObject({ id: "3", resumed: false, recovered: false });
  });

  test("that was resumed has a whole resume window when it is lost again, and none runs while it is online", () => {
    const { relay, connectJson, resume } = startJsonRelay({ resumeMs: RESUME_MS, heartbeatMs: 600_000 });
    let client = connectJson();
    for (let times = 0; times < 3; times++) {
      client.vanishes();
      vi.advanceTimersByTime(RESUME_MS - 1);
      client = resume(client);
      vi.advanceTimersByTime(3 * RESUME_MS);
      expect(client.welcome.resumed).toBe(true);
    }
    expect(relay.holdings.sessions).toBe(1);
  });

  test("ends with its connection if resumeMs is 0", () => {
    const { relay, connectJson, resume } = startJsonRelay({ resumeMs: 0 });
    const lost = connectJson();
    expect(lost.welcome.resumeMs).toBe(0);
    lost.vanishes();
    expect(relay.holdings.sessions).toBe(0);
    expect(resume(lost).welcome.resumed).toBe(false);
  });

  test("takes no place of maxConnections", () => {
    const { relay, connectJson } = startJsonRelay({ limits: { maxConnections: 1 } });
    connectJson().vanishes();
    expect([relay.accepts, relay.holdings.sessions]).toEqual([true, 1]);
  });
});
