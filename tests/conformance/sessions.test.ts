import { describe, expect, onTestFinished, test } from "vitest";
import { closePayload, OPCODES } from "./frames.ts";
import {
  connectJson,
  connectRawJson,
  connectWatcher,
  JSON_PROTOCOL,
  type JsonClient,
  loseConnection,
  nextMessages,
  readFrame,
} from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";
import { connectText, TEXT_PROTOCOL } from "./text-client.ts";

/** Close codes that end a session; `undefined` for a close frame without one. */
const ENDS = [undefined, 1000, 1001, 1011, 3000, 4500, 4999];
/** Close codes that keep a session. */
const KEEPS = [4000, 4001, 4499];

describe.each(runtimes)("a session on $name", (runtime) => {
  const server = sharedServer(runtime);

  test("goes on after a lost connection, with the same id, a new token and the queued messages", async () => {
    const lost = await connectJson(server());
    const watcher = await loseConnection(server(), lost);
    expect(await watcher.ask({ type: "send", to: lost.id, data: "while away" })).toEqual({ outcome: "queued" });
    const back = await connectJson(server(), { resume: lost.token });
    expect(back.welcome).toEqual({
      ...lost.welcome,
      resumeToken: expect.not.stringMatching(lost.token),
      resumed: true,
      recovered: true,
    });
    expect(await back.next()).toEqual({ type: "message", from: watcher.id, data: "while away", sequenceId: 1 });
    expect(await watcher.next()).toEqual({ type: "presence", id: lost.id, event: "online" });
    expect(await watcher.ask({ type: "send", to: back.id, data: "here again" })).toEqual({ outcome: "delivered" });
    expect(await back.next()).toMatchObject({ data: "here again", sequenceId: 2 });
  });

  test("goes on after a reset of TCP, and after its end without a close frame", async () => {
    const { raw, welcome } = await connectRawJson(server());
    const watcher = await connectWatcher(server(), welcome.id);
    raw.reset();
    expect(await watcher.next()).toMatchObject({ event: "offline" });
    const back = await connectJson(server(), { resume: welcome.resumeToken });
    expect(back.welcome).toMatchObject({ id: welcome.id, resumed: true });
    back.drop();
    expect(await watcher.next()).toMatchObject({ event: "online" });
    expect(await watcher.next()).toMatchObject({ event: "offline" });
    const again = await connectJson(server(), { resume: back.token });
    expect(again.welcome).toMatchObject({ id: welcome.id, resumed: true });
  });

  test("repeats unacknowledged messages after a resume, in order, with their numbers, before later ones", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    for (let number = 1; number <= 5; number++) one.send({ type: "send", to: two.id, data: number });
    await nextMessages(two, 5);
    await two.acknowledge(2);
    await loseConnection(server(), two);
    for (let number = 6; number <= 8; number++) one.send({ type: "send", to: two.id, data: number });
    await expect(one).toStaySilent();
    const back = await connectJson(server(), { resume: two.token });
    one.send({ type: "send", to: two.id, data: 9 });
    const expected = Array.from({ length: 7 }, (_, index) => [index + 3, index + 3]);
    expect(await nextMessages(back, 7)).toEqual(expected);
    await expect(back).toStaySilent();
  });

  test("keeps the order of messages over many resumes", async () => {
    const sender = await connectJson(server());
    let two = await connectJson(server());
    const received: unknown[] = [];
    let last = 0;
    let sent = 0;
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count < 100; count++) sender.send({ type: "send", to: two.id, data: sent++ });
      while (received.length < sent - 30) {
        const { sequenceId, data } = await two.next();
        if (Number(sequenceId) <= last) continue;
        last = Number(sequenceId);
        received.push(data);
      }
      two.send({ type: "sequenceAck", sequenceId: last });
      two.drop();
      two = await connectJson(server(), { resume: two.token });
      expect(two.welcome).toMatchObject({ resumed: true, recovered: true });
    }
    while (received.length < sent) {
      const { sequenceId, data } = await two.next();
      if (Number(sequenceId) <= last) continue;
      last = Number(sequenceId);
      received.push(data);
    }
    expect(received).toEqual(Array.from({ length: sent }, (_, number) => number));
  });

  test("remembers the outcomes of its sends: the same ackId after a resume is a duplicate", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    const frame = { type: "send", to: two.id, data: "once", ackId: 42 };
    one.send(frame);
    expect(await one.next()).toMatchObject({ ackId: 42, outcome: "delivered" });
    await loseConnection(server(), one);
    const back = await connectJson(server(), { resume: one.token });
    back.send(frame);
    expect(await back.next()).toMatchObject({
      ackId: 42,
      outcome: "failed",
      error: { code: "duplicate" },
      original: { outcome: "delivered" },
    });
    expect(await two.next()).toMatchObject({ data: "once" });
    await expect(two).toStaySilent();
  });

  test("remembers its latest 256 sends: of 300 that are repeated, the oldest 44 are sent again", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    const send = (client: JsonClient, ackId: number) => client.send({ type: "send", to: two.id, data: ackId, ackId });
    for (let ackId = 1; ackId <= 300; ackId++) {
      send(one, ackId);
      expect(await one.next()).toMatchObject({ ackId, outcome: "delivered" });
    }
    await nextMessages(two, 300);
    await loseConnection(server(), one);
    const back = await connectJson(server(), { resume: one.token });
    for (let ackId = 1; ackId <= 300; ackId++) {
      send(back, ackId);
      const original = { outcome: "delivered" };
      const expected = ackId <= 44 ? original : { error: { code: "duplicate" }, original };
      expect(await back.next()).toMatchObject({ ackId, ...expected });
    }
    const repeated = Array.from({ length: 44 }, (_, index) => [301 + index, index + 1]);
    expect(await nextMessages(two, 44)).toEqual(repeated);
    await expect(two).toStaySilent();
  });

  test("keeps its rooms and its watches over a resume, and learns the present state of watched ids", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    await one.ask({ type: "join", room: "keeps" });
    await one.ask({ type: "watch", id: two.id });
    await loseConnection(server(), one);
    const back = await connectJson(server(), { resume: one.token });
    expect(await back.next()).toEqual({ type: "presence", id: two.id, event: "online" });
    await two.ask({ type: "join", room: "keeps" });
    expect(await back.next()).toMatchObject({ id: two.id, room: "keeps", event: "joined" });
    two.drop();
    const frames = [await back.next(), await back.next()];
    expect(frames).toContainEqual({ type: "presence", id: two.id, event: "offline" });
    expect(frames).toContainEqual({ type: "presence", id: two.id, room: "keeps", event: "offline" });
  });

  test("resumes with recovered: false, once, after its oldest messages were dropped", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    for (let number = 1; number <= 1001; number++) one.send({ type: "send", to: two.id, data: number });
    await expect(one).toStaySilent();
    await loseConnection(server(), two);
    const back = await connectJson(server(), { resume: two.token });
    expect(back.welcome).toMatchObject({ resumed: true, recovered: false });
    const messages = await nextMessages(back, 1000);
    expect(messages.at(0)).toEqual([2, 2]);
    expect(messages.at(-1)).toEqual([1001, 1001]);
    await back.acknowledge(1001);
    await loseConnection(server(), back);
    const again = await connectJson(server(), { resume: back.token });
    expect(again.welcome).toMatchObject({ resumed: true, recovered: true });
  });

  test("can be taken over from a connection that is still open, which is closed with 4500", async () => {
    const previous = await connectJson(server());
    const watcher = await connectWatcher(server(), previous.id);
    const taker = await connectJson(server(), { resume: previous.token });
    expect(taker.welcome).toMatchObject({ id: previous.id, resumed: true, recovered: true });
    const reason = "The session goes on over another connection";
    await expect(previous.untilClosed()).resolves.toEqual({ code: 4500, reason });
    const outcome = await watcher.ask({ type: "send", to: previous.id, data: "to the new one" });
    expect(outcome).toEqual({ outcome: "delivered" });
    expect(await taker.next()).toMatchObject({ data: "to the new one" });
    await expect(watcher).toStaySilent();
  });

  test.each(ENDS)("ends when its client closes with code %s, although TCP is still open", async (code) => {
    const { raw, welcome } = await connectRawJson(server());
    const watcher = await connectWatcher(server(), welcome.id);
    raw.send({ opcode: OPCODES.close, payload: code === undefined ? "" : closePayload(code) });
    expect(await watcher.next()).toEqual({ type: "presence", id: welcome.id, event: "offline" });
    const outcome = await watcher.ask({ type: "send", to: welcome.id, data: 1 });
    if (code === 1001 && runtime.exceptions.treats1001AsLoss !== undefined) {
      expect(outcome).toEqual({ outcome: "queued" });
      return;
    }
    expect(outcome).toMatchObject({ outcome: "failed", error: { code: "no_such_id" } });
    const fresh = await connectJson(server(), { resume: welcome.resumeToken });
    expect(fresh.welcome).toMatchObject({ resumed: false, recovered: false });
    expect(fresh.id).not.toBe(welcome.id);
  });

  test.each(KEEPS)("is kept when its client closes with code %i", async (code) => {
    const one = await connectJson(server());
    const watcher = await connectWatcher(server(), one.id);
    await one.close(code);
    expect(await watcher.next()).toEqual({ type: "presence", id: one.id, event: "offline" });
    expect(await watcher.ask({ type: "send", to: one.id, data: 1 })).toEqual({ outcome: "queued" });
    const back = await connectJson(server(), { resume: one.token });
    expect(back.welcome).toMatchObject({ id: one.id, resumed: true });
    expect(await back.next()).toMatchObject({ data: 1 });
  });

  test("of a client of relay.v1.text ends with its connection, whatever the close code", async () => {
    const [one, line] = [await connectJson(server()), await connectText(server())];
    await one.ask({ type: "watch", id: line.id });
    expect(await one.next()).toMatchObject({ event: "online" });
    await line.close(4001);
    expect(await one.next()).toMatchObject({ event: "offline" });
    expect(await one.ask({ type: "send", to: line.id, data: 1 })).toMatchObject({ error: { code: "no_such_id" } });
  });

  test("is kept when its client does not read and is closed with 4000", async () => {
    const { raw, welcome } = await connectRawJson(server());
    const watcher = await connectWatcher(server(), welcome.id);
    raw.pause();
    onTestFinished(() => raw.reset());
    const frame = (ackId: number): string =>
      JSON.stringify({ type: "send", to: welcome.id, data: "x".repeat(60_000), ackId });
    // 18 MB: more than the system's buffers and RELAY_MAX_BUFFERED_BYTES hold together.
    for (let ackId = 0; ackId < 300; ackId++) raw.text(frame(ackId));
    expect(await watcher.next()).toEqual({ type: "presence", id: welcome.id, event: "offline" });
    raw.resume();
    // Deno.serve often drops the buffered bytes, and the close frame with them.
    const { code, reason } = await raw.closeFrame();
    if (code === 1006) expect(runtime.exceptions.cannotTerminate).toBeDefined();
    else expect([code, reason]).toEqual([4000, "What was sent to this connection was not read in time"]);
    const back = await connectJson(server(), { resume: welcome.resumeToken });
    expect(back.welcome).toMatchObject({ id: welcome.id, resumed: true, recovered: false });
  });
});

describe.each(runtimes)("a client that reads no acks on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_MAX_BUFFERED_BYTES: "67108864" } });

  test("has each send over 256 with unread acks refused, and can send again after it has read them", async () => {
    const [filler, receiver] = [await connectJson(server()), await connectJson(server())];
    const { raw, welcome } = await connectRawJson(server());
    raw.pause();
    // More than the system's buffers hold, so that the acks below stay in the runtime's buffers.
    const data = "x".repeat(60_000);
    for (let count = 0; count < 300; count++) filler.send({ type: "send", to: welcome.id, data });
    expect(await filler.receivedNothing()).toBe(true);
    const send = (ackId: number) => JSON.stringify({ type: "send", to: receiver.id, data: ackId, ackId });
    for (let ackId = 1; ackId <= 300; ackId++) raw.text(send(ackId));
    const expected = Array.from({ length: 256 }, (_, index) => [index + 1, index + 1]);
    expect(await nextMessages(receiver, 256)).toEqual(expected);
    raw.resume();
    const acks: unknown[] = [];
    while (acks.length < 300) {
      const { type, ackId, outcome, error } = readFrame(await raw.next());
      if (type === "ack") acks.push([ackId, outcome, error]);
    }
    const refused = { code: "too_many_unacked", message: expect.any(String), temporary: true };
    const expectedAck = (index: number) => (index < 256 ? ["delivered", undefined] : ["failed", refused]);
    expect(acks).toEqual(Array.from({ length: 300 }, (_, index) => [index + 1, ...expectedAck(index)]));
    raw.text(send(300));
    expect(await nextMessages(receiver, 1)).toEqual([[257, 300]]);
  });
});

describe.each(runtimes)("a resume token on $name", (runtime) => {
  // Frequent presence changes are reported once a beat: a short beat keeps these tests short.
  const server = sharedServer(runtime, { env: { RELAY_HEARTBEAT_MS: "1000" } });

  test("is valid once", async () => {
    const one = await connectJson(server());
    await loseConnection(server(), one);
    const two = await connectJson(server(), { resume: one.token });
    await loseConnection(server(), two);
    // The second client sent nothing, so that its welcome may have been lost. The third one confirms its welcome.
    const three = await connectJson(server(), { resume: two.token });
    await three.acknowledge(0);
    await loseConnection(server(), three);
    for (const used of [one.token, two.token]) {
      const fresh = await connectJson(server(), { resume: used });
      expect(fresh.welcome).toMatchObject({ resumed: false, recovered: false });
      expect(fresh.id).not.toBe(one.id);
    }
    const back = await connectJson(server(), { resume: three.token });
    expect(back.welcome).toMatchObject({ id: one.id, resumed: true });
  });

  test("stays valid for a client that loses its connection before it has confirmed its welcome", async () => {
    const one = await connectJson(server());
    const watcher = await loseConnection(server(), one);
    for (let attempt = 0; attempt < 4; attempt++) {
      const { raw, welcome } = await connectRawJson(server(), one.token);
      expect(welcome).toMatchObject({ id: one.id, resumed: true });
      expect(await watcher.next()).toMatchObject({ event: "online" });
      raw.reset();
      expect(await watcher.next()).toMatchObject({ event: "offline" });
    }
    const back = await connectJson(server(), { resume: one.token });
    expect(back.welcome).toMatchObject({ id: one.id, resumed: true, recovered: true });
  });

  test("that is used up identifies a late attempt, which is closed with 4500 and starts no session", async () => {
    const one = await connectJson(server());
    await loseConnection(server(), one);
    const back = await server().open(`/ws?resume=${one.token}&attempt=2`, [JSON_PROTOCOL]);
    expect(readFrame(await back.next())).toMatchObject({ id: one.id, resumed: true });
    back.send(JSON.stringify({ type: "sequenceAck", sequenceId: 0 }));
    back.send(JSON.stringify({ type: "ping" }));
    expect(readFrame(await back.next())).toMatchObject({ type: "pong" });
    const late = await server().open(`/ws?resume=${one.token}&attempt=1`, [JSON_PROTOCOL]);
    await expect(late.untilClosed()).resolves.toMatchObject({ code: 4500 });
    back.send(JSON.stringify({ type: "ping" }));
    expect(readFrame(await back.next())).toMatchObject({ type: "pong" });
  });

  test.each(["unknown", "", "%00", "__proto__"])(
    "that the relay did not issue starts a new session: %j",
    async (resume) => {
      const { welcome } = await connectJson(server(), { resume });
      expect(welcome).toMatchObject({ resumed: false, recovered: false });
    },
  );

  test("is ignored in another protocol, and stays valid", async () => {
    const one = await connectJson(server());
    await loseConnection(server(), one);
    const line = await server().open(`/ws?resume=${one.token}`, [TEXT_PROTOCOL]);
    const welcome = await line.next();
    expect(welcome).toMatch(/^:welcome \d+$/);
    expect(welcome).not.toBe(`:welcome ${one.id}`);
    await server().open(`/ws?resume=${one.token}`);
    const back = await connectJson(server(), { resume: one.token });
    expect(back.welcome).toMatchObject({ id: one.id, resumed: true });
  });
});

describe.each(runtimes)("RELAY_RESUME_MS on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_RESUME_MS: "400" } });

  test("ends a session that is away for longer: it frees its id, leaves its rooms, and its token expires", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    expect(one.welcome.resumeMs).toBe(400);
    for (const client of [one, two]) await client.ask({ type: "join", room: "brief" });
    expect(await one.next()).toMatchObject({ event: "joined" });
    const watcher = await loseConnection(server(), two);
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "brief", event: "offline" });
    expect(await one.ask({ type: "send", to: two.id, data: 1 })).toEqual({ outcome: "queued" });
    expect(await one.next()).toEqual({ type: "presence", id: two.id, room: "brief", event: "left" });
    expect(await one.ask({ type: "send", to: two.id, data: 1 })).toMatchObject({ error: { code: "no_such_id" } });
    const fresh = await connectJson(server(), { resume: two.token });
    expect(fresh.welcome).toMatchObject({ resumed: false, recovered: false });
    expect(fresh.id).not.toBe(two.id);
    await expect(watcher).toStaySilent();
  });
});

describe.each(runtimes)("RELAY_RESUME_MS=0 on $name", (runtime) => {
  test("ends a session with its connection", async () => {
    const server = await ownServer(runtime, { env: { RELAY_RESUME_MS: "0" } });
    const one = await connectJson(server);
    expect(one.welcome.resumeMs).toBe(0);
    const watcher = await loseConnection(server, one);
    expect(await watcher.ask({ type: "send", to: one.id, data: 1 })).toMatchObject({ error: { code: "no_such_id" } });
    const fresh = await connectJson(server, { resume: one.token });
    expect(fresh.welcome).toMatchObject({ resumed: false, recovered: false });
  });
});

describe.each(runtimes)("a shutdown on $name", (runtime) => {
  test("closes clients with 1001, does not wait for sessions that are away, and exits with 0", async () => {
    const server = await ownServer(runtime);
    const watcher = await loseConnection(server, await connectJson(server));
    server.process.signal("SIGTERM");
    await expect(watcher.untilClosed()).resolves.toEqual({ code: 1001, reason: "The relay is shutting down" });
    expect((await server.process.untilExit()).code).toBe(0);
  });
});
