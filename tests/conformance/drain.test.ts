import { connect, type RelayClient } from "hono-relay/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { startFlow } from "./flow.ts";
import { freePort } from "./proc.ts";
import { openTcp } from "./raw.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { until, within } from "./wait.ts";

const SECRET = "a secret of thirty-two bytes or more";
const DRAIN_MS = 800;
const CLIENTS = 24;
/** The drain, and the time for clients that answer nothing; the rest is for a busy machine. */
const SHUTDOWN_MS = 8000;

describe.each(runtimes)("the drain of a relay on $name", (runtime) => {
  test("first only says 503 at /readyz, then closes clients with 1012 one after another, and listens no more", async () => {
    const env = { RELAY_DRAIN_DELAY_MS: "1500", RELAY_DRAIN_MS: String(DRAIN_MS) };
    const server = await ownServer(runtime, { env });
    const early = await server.connect();
    const clients = [early, ...(await Promise.all(Array.from({ length: CLIENTS }, () => server.open())))];
    server.process.signal("SIGTERM");
    await until(async () => (await fetch(server.url("/readyz"))).status === 503, "/readyz to say 503");
    const late = await server.connect();
    clients.push(late);
    early.send(`${late.id}:still here`);
    await expect(late.next()).resolves.toBe("still here");

    const times: number[] = [];
    const ends = clients.map(async (client) => {
      const ending = await client.untilClosed();
      times.push(performance.now());
      return ending;
    });
    await untilRefusing(server, runtime);
    for (const ending of await Promise.all(ends)) {
      expect(ending).toEqual({ code: 1012, reason: "The relay restarts: connect again" });
    }
    // On a busy machine the relay, or this process, sees several batches at once.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(DRAIN_MS / 10);
    expect((await server.process.untilExit(SHUTDOWN_MS)).code).toBe(0);
  });

  test("moves clients of the library to another relay at once; no message that was acknowledged is lost", async () => {
    const env = { RELAY_SECRET: SECRET, PORT: String(await freePort()), RELAY_DRAIN_MS: String(DRAIN_MS) };
    const first = await ownServer(runtime, { env });
    const pairs = await Promise.all(Array.from({ length: 4 }, () => startPair(first)));
    await until(async () => pairs.every(({ delivered }) => delivered.size > 20), "messages to be acknowledged");
    first.process.signal("SIGTERM");
    expect((await first.process.untilExit(SHUTDOWN_MS)).code).toBe(0);
    const second = await ownServer(runtime, { env });
    expect(second.port).toBe(first.port);
    const counts = pairs.map(({ delivered }) => delivered.size);
    await until(
      async () => pairs.every(({ delivered }, at) => delivered.size > (counts[at] ?? 0) + 20),
      "messages over the second relay",
      20_000,
    );
    for (const { stop } of pairs) await stop();
    for (const { delivered, received, failures, ends } of pairs) {
      const lost = [...delivered].filter((number) => !received.has(number));
      expect(lost).toEqual([]);
      expect([...received.values()].filter((times) => times > 1)).toEqual([]);
      if (runtime.exceptions.resetsBusyClients === undefined) {
        expect(ends[0]).toMatchObject({ code: 1012, retryMs: 0 });
        expect(failures.filter((code) => code !== "no_such_id")).toEqual([]);
      }
    }
  });
});

/** Waits until the relay takes no connections: it does not listen any more, or answers 503. */
async function untilRefusing(server: Server, { exceptions }: Runtime): Promise<void> {
  const refuses = async (): Promise<boolean> => {
    if (exceptions.listensUntilEnd !== undefined) return (await server.tryHandshake("/ws")).status === 503;
    try {
      (await openTcp(server.port)).reset();
      return false;
    } catch {
      return true;
    }
  };
  await until(refuses, "the relay to refuse connections");
}

/** Connects two clients of the library, one of which sends numbers to the other. */
async function startPair(server: Server) {
  const [sender, receiver] = [connectLibrary(server.port), connectLibrary(server.port)];
  await within(Promise.all([sender.ready, receiver.ready]), "both welcomes");
  const ends: unknown[] = [];
  for (const client of [sender, receiver]) client.on("disconnected", (ending) => ends.push(ending));
  return { ...startFlow(sender, receiver), ends };
}

function connectLibrary(port: number): RelayClient {
  const client = connect(`ws://127.0.0.1:${port}/ws`, { WebSocket, minDelayMs: 50, maxDelayMs: 300 });
  onTestFinished(() => client.close());
  return client;
}
