import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createApp, createRelayApp } from "../../../src/http/app.ts";
import type { AppOptions } from "../../../src/http/app-options.ts";
import type { Open } from "../../../src/http/runtime.ts";
import { FakeConnection, startRelay } from "../fakes.ts";
import { HANDSHAKE } from "./good-handshake.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Opens a connection, and keeps only a weak reference to its request. */
async function dial(path: string, options: AppOptions) {
  const { relay } = startRelay();
  const upgrades: Open[] = [];
  const upgradeWebSocket = (_c: unknown, open: Open): Response => {
    upgrades.push(open);
    return new Response(null);
  };
  const app = createApp(relay, { upgradeWebSocket, peerAddress: () => "192.0.2.1" }, options);
  const request = new Request(`http://localhost${path}`, { headers: HANDSHAKE });
  await app.fetch(request);
  const link = upgrades[0]?.(new FakeConnection());
  return { relay, link, upgrades, request: new WeakRef<object>(request) };
}

test.each<[string, string, AppOptions]>([
  ["/ws", "by default", {}],
  ["/ws", "where the connections of an address are counted", { maxConnectionsPerIp: 1 }],
  ["/ws", "where the app decides who connects", { authorize: () => ({ allow: true, id: "7" }) }],
  ["/echo", "by default", {}],
])("a connection to %s keeps nothing of its request in memory, %s", async (path, _when, options) => {
  await expectNoRequest(await dial(path, options));
});

/** Opens a connection without the app, and keeps only a weak reference to its request. */
async function dialDirectly(path: string, options: AppOptions) {
  const { relay } = startRelay();
  const upgrades: Open[] = [];
  const unused = (): Response => new Response(null);
  const { direct } = createRelayApp(relay, { upgradeWebSocket: unused, peerAddress: () => undefined }, options);
  const headers = new Headers(HANDSHAKE);
  const request = {
    method: "GET",
    path,
    header: (name: string) => headers.get(name) ?? undefined,
    query: () => undefined,
    peerAddress: () => "192.0.2.1",
    toRequest: () => new Request(`http://localhost${path}`),
    upgrade: (open: Open) => void upgrades.push(open),
  };
  expect(await direct.upgrade(request)).toBeUndefined();
  const link = upgrades[0]?.(new FakeConnection());
  return { relay, link, upgrades, request: new WeakRef<object>(request) };
}

test.each<[string, AppOptions]>([
  ["/ws", {}],
  ["/ws", { maxConnectionsPerIp: 1 }],
  ["/ws", { authorize: () => ({ allow: true, id: "7" }) }],
  ["/echo", {}],
])("a connection to %s that did not pass the app keeps nothing of its request in memory", async (path, options) => {
  await expectNoRequest(await dialDirectly(path, options));
});

/** Expects that the connection is open, and that its request is no longer in memory. */
async function expectNoRequest({ relay, link, upgrades, request }: Awaited<ReturnType<typeof dial>>): Promise<void> {
  await setImmediate();
  collectGarbage();
  expect(request.deref()).toBeUndefined();
  expect(relay.holdings.connections).toBe(1);
  expect(link?.hasEnded).toBe(false);
  expect(upgrades.length).toBe(1);
}
