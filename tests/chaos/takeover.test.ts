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

/** Nobody waits longer for what is theirs. */
const AT_ONCE_MS = 1000;

const ROOM = "lobby";

/** A proxy before the server, for this test alone. */
async function ownProxy(server: Server): Promise<ChaosProxy> {
  const proxy = await openProxy(server.port);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Somebody with a network that holds, in the room, who watches the client and sees it in the room. */
async function befriend(server: Server, client: JsonClient): Promise<JsonClient> {
  const friend = await connectJson(server);
  for (const one of [client, friend]) await one.ask({ type: "join", room: ROOM });
  expect(await client.next()).toMatchObject({ type: "presence", id: friend.id, event: "joined" });
  expect(await friend.ask({ type: "watch", id: client.id })).toEqual({ outcome: "done" });
  expect(await friend.next()).toMatchObject({ id: client.id, event: "online" });
  return friend;
}

/** Sends to the client, and publishes in the room; the relay knows of nothing that would be in the way. */
async function write(friend: JsonClient, id: string, words: string): Promise<void> {
  const outcome = { outcome: "delivered" };
  expect(await friend.ask({ type: "send", to: id, data: `${words} to you` })).toEqual(outcome);
  expect(await friend.ask({ type: "publish", room: ROOM, data: `${words} to all` })).toEqual({
    ...outcome,
    recipients: 1,
  });
}

describe.each(runtimes)("a client whose network vanished, on $name", (runtime) => {
  test("has its id, its rooms and its messages again at once over another connection", async () => {
    const server = await ownServer(runtime);
    const proxy = await ownProxy(server);
    const lost = await connectJson(server, { port: proxy.port });
    const friend = await befriend(server, lost);
    const { wire } = proxy;
    wire.vanish();
    lost.send({ type: "send", to: friend.id, data: "on its way for too long" });
    await write(friend, lost.id, "meanwhile");

    const startedAt = performance.now();
    const comeBack = async (): Promise<JsonClient> => {
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
    const back = await within(comeBack(), "the session to go on", AT_ONCE_MS);
    console.log(`takeover on ${runtime.name}: ${Math.round(performance.now() - startedAt)} ms`);

    await write(friend, lost.id, "now");
    expect(await nextMessages(back, 2)).toEqual([
      [3, "now to you"],
      [4, "now to all"],
    ]);
    await expect(friend).toStaySilent();
    wire.comeBack();
    expect(await lost.end()).toEqual({ code: 4500, reason: "The session goes on over another connection" });
    await expect(friend).toStaySilent();
    await expect(back).toStaySilent();
    server.process.expectAlive();
  });

  test("has them however often that happens, and each connection that comes back is told 4500", async () => {
    const server = await ownServer(runtime);
    const proxy = await ownProxy(server);
    let client = await connectJson(server, { port: proxy.port });
    const friend = await befriend(server, client);
    const ghosts: [JsonClient, Wire][] = [];
    for (let round = 0; round < 5; round++) {
      const { wire } = proxy;
      wire.vanish();
      ghosts.push([client, wire]);
      await write(friend, client.id, `round ${round}`);
      const { token } = client;
      client = await within(connectJson(server, { port: proxy.port, resume: token }), "a welcome", AT_ONCE_MS);
      expect(client.welcome).toMatchObject({ id: ghosts[0]?.[0].id, resumed: true, recovered: true });
      const last = 2 * round + 2;
      expect(await nextMessages(client, 2)).toEqual([
        [last - 1, `round ${round} to you`],
        [last, `round ${round} to all`],
      ]);
      await client.acknowledge(last);
    }
    for (const [ghost, wire] of ghosts) {
      wire.comeBack();
      expect(await ghost.end()).toMatchObject({ code: 4500 });
    }
    await expect(friend).toStaySilent();
    await write(friend, client.id, "at last");
    expect(await nextMessages(client, 2)).toMatchObject([{ 1: "at last to you" }, { 1: "at last to all" }]);
  });

  test("keeps its session from an attempt of its own that was held up, and comes after a later one", async () => {
    const server = await ownServer(runtime);
    const proxy = await ownProxy(server);
    const lost = await connectJson(server, { port: proxy.port });
    const friend = await befriend(server, lost);
    proxy.wire.vanish();

    const held: Wire[] = [];
    const swamp = await openProxy(server.port, (wire) => {
      wire.vanish();
      held.push(wire);
    });
    onTestFinished(() => swamp.close());
    const path = `/ws?resume=${lost.token}`;
    const late = openClient(`ws://127.0.0.1:${swamp.port}${path}&attempt=1`, [JSON_PROTOCOL]);
    const client = await connectJson(server, { port: proxy.port, resume: `${lost.token}&attempt=2` });
    expect(client.welcome).toMatchObject({ id: lost.id, resumed: true });
    expect(held.length).toBe(1);
    for (const wire of held) wire.comeBack();
    expect(await (await late).end()).toMatchObject({ code: 4500 });
    await expect(friend).toStaySilent();
    await write(friend, client.id, "still here");
    expect(await nextMessages(client, 2)).toMatchObject([{ 1: "still here to you" }, { 1: "still here to all" }]);
  });

  test("with the library notices by itself, and has them again before the relay has noticed anything", async () => {
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
    wire.vanish();
    const startedAt = performance.now();
    await write(friend, id, "meanwhile");
    const resumed = await within(
      new Promise((resolve) => client.on("connected", resolve)),
      "the session to go on",
      // Two beats and a half of silence, the pause before the attempt, and the attempt.
      2.5 * 300 + AT_ONCE_MS,
    );
    console.log(`the library on ${runtime.name}: ${Math.round(performance.now() - startedAt)} ms`);
    expect(resumed).toEqual({ id, resumed: true, recovered: true });
    for (const to of ["you", "all"]) expect(await received.next("a message")).toBe(`meanwhile to ${to}`);

    wire.comeBack();
    expect(await client.send(friend.id, "back")).toBe("delivered");
    expect(await friend.next()).toMatchObject({ from: id, data: "back" });
    await write(friend, id, "now");
    for (const to of ["you", "all"]) expect(await received.next("a message")).toBe(`now to ${to}`);
    expect(losses).toBe(1);
    await expect(friend).toStaySilent();
  });
});
