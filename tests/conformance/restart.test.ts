import { connect, type RelayClient } from "hono-relay/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { connectJson } from "./json-client.ts";
import { freePort } from "./proc.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { within } from "./wait.ts";
import { hasFakeTime, WallClock } from "./wall-clock.ts";

const SECRET = "a secret of thirty-two bytes or more";
const LIBRARY_CLIENTS = 10;
/** The new process may have to compile first. */
const COMEBACK_MS = 30_000;

describe.each(runtimes)("after SIGKILL on $name", (runtime) => {
  test("clients of the library reconnect to the next process by themselves, each with its id", async () => {
    const env = { PORT: String(await freePort()), RELAY_SECRET: SECRET };
    const first = await ownServer(runtime, { env });
    const clients = Array.from({ length: LIBRARY_CLIENTS }, () => connectLibrary(first.port));
    await within(Promise.all(clients.map(({ ready }) => ready)), "every client's welcome");
    const ids = clients.map(({ id }) => id);
    expect(new Set(ids).size).toBe(LIBRARY_CLIENTS);
    const disconnected = clients.map((client) => once(client, "disconnected"));
    const reconnected = clients.map((client) => once(client, "connected"));
    first.process.signal("SIGKILL");
    await within(Promise.all(disconnected), "every client to lose its connection");
    await first.process.untilExit();
    const second = await ownServer(runtime, { env });
    expect(second.port).toBe(first.port);
    const welcomes = await within(Promise.all(reconnected), "every client to reconnect", COMEBACK_MS);
    expect(welcomes).toEqual(ids.map((id) => ({ id, resumed: false, recovered: false })));
    expect(clients.map(({ id }) => id)).toEqual(ids);
    await expectAllToReachEachOther(clients);
  });

  test("a token gives its bearer the same id in the next process, once, with RELAY_SECRET", async () => {
    const env = { RELAY_SECRET: SECRET };
    const first = await ownServer(runtime, { env });
    const { id, token } = await connectJson(first);
    await kill(first);
    const second = await ownServer(runtime, { env });
    const back = await connectJson(second, { resume: encodeURIComponent(token) });
    expect(back.welcome).toMatchObject({ id, resumed: false, recovered: false });
    const again = await connectJson(second, { resume: encodeURIComponent(token) });
    expect(again.id).not.toBe(id);
  });

  test("a later token takes the id over from a client that showed an earlier token, with RELAY_SECRET", async () => {
    const env = { RELAY_SECRET: SECRET };
    const first = await ownServer(runtime, { env });
    const stolen = await connectJson(first);
    stolen.drop();
    const latest = await connectJson(first, { resume: encodeURIComponent(stolen.token) });
    expect(latest.welcome).toMatchObject({ id: stolen.id, resumed: true });
    await latest.acknowledge(0);
    await kill(first);
    const second = await ownServer(runtime, { env });
    const thief = await connectJson(second, { resume: encodeURIComponent(stolen.token) });
    expect(thief.id).toBe(stolen.id);
    const owner = await connectJson(second, { resume: encodeURIComponent(latest.token) });
    expect(owner.welcome).toMatchObject({ id: stolen.id, resumed: false, recovered: false });
    await expect(thief.untilClosed()).resolves.toMatchObject({ code: 4500 });
    const again = await connectJson(second, { resume: encodeURIComponent(stolen.token) });
    expect(again.id).not.toBe(stolen.id);
    expect(await owner.receivedNothing()).toBe(true);
  });

  test.skipIf(!hasFakeTime)(
    "a connected client gets a new token before its own is too old, with RELAY_SECRET",
    async () => {
      const clock = new WallClock();
      const env = { RELAY_SECRET: SECRET, RELAY_HEARTBEAT_MS: "200", ...clock.env };
      const server = await ownServer(runtime, { env });
      const client = await connectJson(server);
      await client.acknowledge(0);
      clock.set(1);
      const frame = await client.next();
      expect(frame).toEqual({ type: "resumeToken", resumeToken: expect.any(String) });
      client.drop();
      const back = await connectJson(server, { resume: encodeURIComponent(String(frame.resumeToken)) });
      expect(back.welcome).toMatchObject({ id: client.id, resumed: true });
    },
  );

  test("the next process gives out no id that a client may come back for, with RELAY_SECRET", async () => {
    const env = { RELAY_SECRET: SECRET };
    const first = await ownServer(runtime, { env });
    const before = [await connectJson(first), await connectJson(first), await connectJson(first)];
    await kill(first);
    const second = await ownServer(runtime, { env });
    const strangers = [await connectJson(second), await connectJson(second), await connectJson(second)];
    const [stranger] = strangers;
    for (const [to, temporary] of [
      [before[0]?.id, true],
      [`${stranger?.id.split("-")[0]}-99`, false],
      ["nobody", false],
    ]) {
      const outcome = await stranger?.ask({ type: "send", to, data: "too early" });
      expect(outcome).toMatchObject({ error: { code: "no_such_id", temporary } });
    }
    const back = [];
    for (const { token } of before) back.push(await connectJson(second, { resume: encodeURIComponent(token) }));
    expect(back.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(new Set([...strangers, ...back].map(({ id }) => id)).size).toBe(6);
    for (const client of back) {
      stranger?.send({ type: "send", to: client.id, data: "welcome back" });
      await expect(client.next()).resolves.toMatchObject({ type: "message", data: "welcome back" });
    }
  });

  test("the next process counts ids from 1, and a returning client gets a new id, without RELAY_SECRET", async () => {
    const first = await ownServer(runtime);
    const before = await connectJson(first);
    await kill(first);
    const second = await ownServer(runtime);
    const stranger = await connectJson(second);
    expect([before.id, stranger.id]).toEqual(["2", "2"]);
    const back = await connectJson(second, { resume: before.token });
    expect(back.welcome).toMatchObject({ id: "3", resumed: false, recovered: false });
  });
});

async function kill({ process }: Server): Promise<void> {
  process.signal("SIGKILL");
  await process.untilExit();
}

function connectLibrary(port: number): RelayClient {
  const client = connect(`ws://127.0.0.1:${port}/ws`, { WebSocket, minDelayMs: 50, maxDelayMs: 500 });
  onTestFinished(() => client.close());
  return client;
}

/** Waits for the next event with this name. */
function once(client: RelayClient, name: "connected" | "disconnected"): Promise<unknown> {
  return new Promise((resolve) => {
    const stop = client.on(name, (event) => {
      stop();
      resolve(event);
    });
  });
}

async function expectAllToReachEachOther(clients: readonly RelayClient[]): Promise<void> {
  const expected = clients.map(({ id }) => id);
  const arrivals = clients.map((client) => {
    const from = new Set<string | undefined>();
    return new Promise<void>((resolve) => {
      client.on("message", (message) => {
        from.add(message.from);
        if (from.size === expected.length) resolve();
      });
    });
  });
  const sends = clients.flatMap((client) => expected.map((id) => client.send(id, "back again")));
  const outcomes = await within(Promise.all(sends), "an answer to each send");
  expect(new Set(outcomes)).toEqual(new Set(["delivered"]));
  await within(Promise.all(arrivals), "a message from each client at each client");
}
