import { connect } from "hono-relay/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { openClient } from "../conformance/client.ts";
import { connectJson, JSON_PROTOCOL, type JsonClient, nextMessages } from "../conformance/json-client.ts";
import { runtimes } from "../conformance/runtimes.ts";
import type { Server } from "../conformance/server.ts";
import { ownServer } from "../conformance/subject.ts";
import { Inbox, within } from "../conformance/wait.ts";
import { type ChaosProxy, openProxy, type Wire } from "./proxy.ts";

/** Longest that a takeover may take. */
const TAKEOVER_MS = 1000;

const ROOM = "lobby";

/** Starts a proxy before the server, for one test. */
async function ownProxy(server: Server): Promise<ChaosProxy> {
  const proxy = await openProxy(server.port);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Connects a second client, without the proxy. It watches the first client, and both join the room. */
async function connectFriend(server: Server, client: JsonClient): Promise<JsonClient> {
  const friend = await connectJson(server);
  for (const one of [client, friend]) await one.ask({ type: "join", room: ROOM });
  expect(await client.next()).toMatchObject({ type: "presence", id: friend.id, event: "joined" });
  expect(await friend.ask({ type: "watch", id: client.id })).toEqual({ outcome: "done" });
  expect(await friend.next()).toMatchObject({ id: client.id, event: "online" });
  return friend;
}

/** Sends to the client, and publishes in the room. The relay reports both as delivered: it has noticed no loss. */
async function sendAndPublish(friend: JsonClient, id: string, words: string): Promise<void> {
  const outcome = { outcome: "delivered" };
  expect(await friend.ask({ type: "send", to: id, data: `${words} to you` })).toEqual(outcome);
  expect(await friend.ask({ type: "publish", room: ROOM, data: `${words} to all` })).toEqual({
    ...outcome,
    recipients: 1,
  });
}

describe.each(runtimes)("a client whose network disappears, on $name", (runtime) => {
  test("gets its id, its rooms and its messages back at once over another connection", async () => {
    const server = await ownServer(runtime);
    const proxy = await ownProxy(server);
    const lost = await connectJson(server, { port: proxy.port });
    const friend = await connectFriend(server, lost);
    const { wire } = proxy;
    wire.blackhole();
    lost.send({ type: "send", to: friend.id, data: "on its way for too long" });
    await sendAndPublish(friend, lost.id, "meanwhile");

    const startedAt = performance.now();
    const resume = async (): Promise<JsonClient> => {
      const back = await connectJson(server, { port: proxy.port, resume: lost.token });
      expect(back.welcome).toMatchObject({ id: lost.id, resumed: true, recovered: true });
      expect(await nextMessages(back, 2)).toEqual([
        [1, "meanwhile to you"],
        [2, "meanwhile to all"],
      ]);
      const members = { outcome: "done", members: [lost.id, friend.id] };
      expect(await back.ask({ type: "members", room: ROOM })).toEqual(members);
      return back;
    };
    const back = await within(resume(), "the session to go on", TAKEOVER_MS);
    console.log(`takeover on ${runtime.name}: ${Math.round(performance.now() - startedAt)} ms`);

    await sendAndPublish(friend, lost.id, "now");
    expect(await nextMessages(back, 2)).toEqual([
      [3, "now to you"],
      [4, "now to all"],
    ]);
    await expect(friend).toStaySilent();
    wire.restore();
    expect(await lost.untilClosed()).toEqual({ code: 4500, reason: "The session goes on over another connection" });
    await expect(friend).toStaySilent();
    await expect(back).toStaySilent();
    server.process.expectAlive();
  });

  test("gets its session back each time it happens, and each earlier connection is closed with 4500", async () => {
    const server = await ownServer(runtime);
    const proxy = await ownProxy(server);
    let client = await connectJson(server, { port: proxy.port });
    const friend = await connectFriend(server, client);
    const earlier: [JsonClient, Wire][] = [];
    for (let round = 0; round < 5; round++) {
      const { wire } = proxy;
      wire.blackhole();
      earlier.push([client, wire]);
      await sendAndPublish(friend, client.id, `round ${round}`);
      const { token } = client;
      client = await within(connectJson(server, { port: proxy.port, resume: token }), "a welcome", TAKEOVER_MS);
      expect(client.welcome).toMatchObject({ id: earlier[0]?.[0].id, resumed: true, recovered: true });
      const last = 2 * round + 2;
      expect(await nextMessages(client, 2)).toEqual([
        [last - 1, `round ${round} to you`],
        [last, `round ${round} to all`],
      ]);
      await client.acknowledge(last);
    }
    for (const [previous, wire] of earlier) {
      wire.restore();
      expect(await previous.untilClosed()).toMatchObject({ code: 4500 });
    }
    await expect(friend).toStaySilent();
    await sendAndPublish(friend, client.id, "at last");
    expect(await nextMessages(client, 2)).toMatchObject([{ 1: "at last to you" }, { 1: "at last to all" }]);
  });

  test("keeps its session when one of its own attempts arrives after a later one", async () => {
    const server = await ownServer(runtime);
    const proxy = await ownProxy(server);
    const lost = await connectJson(server, { port: proxy.port });
    const friend = await connectFriend(server, lost);
    proxy.wire.blackhole();

    const held: Wire[] = [];
    const slowProxy = await openProxy(server.port, (wire) => {
      wire.blackhole();
      held.push(wire);
    });
    onTestFinished(() => slowProxy.close());
    const path = `/ws?resume=${lost.token}`;
    const late = openClient(`ws://127.0.0.1:${slowProxy.port}${path}&attempt=1`, [JSON_PROTOCOL]);
    const client = await connectJson(server, { port: proxy.port, resume: `${lost.token}&attempt=2` });
    expect(client.welcome).toMatchObject({ id: lost.id, resumed: true });
    expect(held.length).toBe(1);
    for (const wire of held) wire.restore();
    expect(await (await late).untilClosed()).toMatchObject({ code: 4500 });
    await expect(friend).toStaySilent();
    await sendAndPublish(friend, client.id, "still here");
    expect(await nextMessages(client, 2)).toMatchObject([{ 1: "still here to you" }, { 1: "still here to all" }]);
  });

  test("gets its session back by itself with the client library, before the relay has noticed anything", async () => {
    const env = { RELAY_HEARTBEAT_MS: "300", RELAY_HEARTBEAT_MISSES: "60" };
    const server = await ownServer(runtime, { env });
    const proxy = await ownProxy(server);
    const client = connect(`ws://127.0.0.1:${proxy.port}/ws`, { WebSocket, minDelayMs: 10 });
    onTestFinished(() => client.close());
    const received = new Inbox<unknown>();
    let losses = 0;
    client.on("disconnected", () => losses++);
    client.on("message", ({ data }) => received.push(data));
    await within(client.ready, "the first welcome");
    await client.room(ROOM).join();
    const { id } = client;
    const friend = await connectJson(server);
    await friend.ask({ type: "join", room: ROOM });
    await friend.ask({ type: "watch", id });
    expect(await friend.next()).toMatchObject({ id, event: "online" });

    const { wire } = proxy;
    wire.blackhole();
    const startedAt = performance.now();
    await sendAndPublish(friend, id, "meanwhile");
    const resumed = await within(
      new Promise((resolve) => client.on("connected", resolve)),
      "the session to go on",
      // Two and a half beats of silence, the delay before the attempt, and the attempt.
      2.5 * 300 + TAKEOVER_MS,
    );
    console.log(`the library on ${runtime.name}: ${Math.round(performance.now() - startedAt)} ms`);
    expect(resumed).toEqual({ id, resumed: true, recovered: true });
    for (const to of ["you", "all"]) expect(await received.next("a message")).toBe(`meanwhile to ${to}`);

    wire.restore();
    expect(await client.send(friend.id, "back")).toBe("delivered");
    expect(await friend.next()).toMatchObject({ from: id, data: "back" });
    await sendAndPublish(friend, id, "now");
    for (const to of ["you", "all"]) expect(await received.next("a message")).toBe(`now to ${to}`);
    expect(losses).toBe(1);
    await expect(friend).toStaySilent();
  });
});
