import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Limits } from "../../../src/core/link/limits.ts";
import { createApp, createRelayApp } from "../../../src/http/app.ts";
import type { Open } from "../../../src/http/runtime.ts";
import { FakeClient, FakeConnection, startRelay } from "../fakes.ts";
import { HANDSHAKE } from "./good-handshake.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts the app over a runtime whose upgrades open when the test says so. */
function startApp(limits: Partial<Limits> = {}) {
  const { relay, turn, connect } = startRelay({ limits });
  const upgraded: Open[] = [];
  const upgradeWebSocket = (_c: unknown, open: Open): Response => {
    upgraded.push(open);
    return new Response(null, { headers: { "X-Upgraded": "yes" } });
  };
  const app = createApp(relay, { upgradeWebSocket, peerAddress: () => undefined });
  /** Asks for a WebSocket, and opens it where the app accepts the request. */
  const dial = async (path: string): Promise<FakeClient> => {
    await app.request(path, { headers: HANDSHAKE });
    const connection = new FakeConnection();
    const open = upgraded.pop();
    if (open === undefined) throw new Error(`${path} was not upgraded`);
    return new FakeClient(connection, open(connection), turn);
  };
  return { app, relay, connect, upgraded, dial };
}

describe.each(["/ws", "/echo"])("GET %s", (path) => {
  test("with a handshake is passed to the runtime; no session opens before the socket does", async () => {
    const { app, relay, upgraded } = startApp();
    const response = await app.request(path, { headers: HANDSHAKE });
    expect(response.headers.get("X-Upgraded")).toBe("yes");
    expect(upgraded.length).toBe(1);
    expect(relay.holdings.sessions).toBe(0);
  });

  test("without a handshake gets 426 and a sentence", async () => {
    const { app, upgraded } = startApp();
    const response = await app.request(path);
    expect(response.status).toBe(426);
    expect(response.headers.get("Upgrade")).toBe("websocket");
    expect(await response.json()).toEqual({
      error: { code: "upgrade_required", message: expect.stringContaining("WebSocket") },
    });
    expect(upgraded).toEqual([]);
  });

  test("is refused with 503 where the relay is full", async () => {
    const { app, connect, upgraded } = startApp({ maxConnections: 1 });
    const first = connect();
    const response = await app.request(path, { headers: HANDSHAKE });
    expect(response.status).toBe(503);
    expect(response.headers.get("Retry-After")).toBe("1");
    expect(await response.json()).toMatchObject({ error: { code: "full" } });
    expect(upgraded).toEqual([]);
    first.leaves();
    await app.request(path, { headers: HANDSHAKE });
    expect(upgraded.length).toBe(1);
  });

  test("is refused with 503 where the relay is shutting down", async () => {
    const { app, relay, upgraded } = startApp();
    await relay.shutdown();
    const response = await app.request(path, { headers: HANDSHAKE });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "shutting_down" } });
    expect(upgraded).toEqual([]);
  });

  test("is the only method: POST gets 405", async () => {
    const { app, upgraded } = startApp();
    const response = await app.request(path, { method: "POST", headers: HANDSHAKE });
    expect(response.status).toBe(405);
    expect(response.headers.get("Allow")).toBe("GET");
    expect(upgraded).toEqual([]);
  });

  test("gets 500 when the runtime throws; the response does not have the error", async () => {
    const { relay } = startRelay();
    const upgradeWebSocket = () => {
      throw new Error("a secret defect");
    };
    const app = createApp(relay, { upgradeWebSocket, peerAddress: () => undefined });
    const response = await app.request(path, { headers: HANDSHAKE });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: "internal" } });
    expect(text).not.toContain("secret");
  });
});

test("/ws opens a session that can be sent to", async () => {
  const { dial } = startApp();
  const [one, two] = [await dial("/ws"), await dial("/ws")];
  one.says("2:hi");
  expect(two.heard).toEqual(["hi"]);
});

test("/ws?from=1 names the sender; other values do not", async () => {
  const { dial } = startApp();
  const sender = await dial("/ws");
  const named = await dial("/ws?from=1");
  const plain = [
    await dial("/ws?from=0"),
    await dial("/ws?from=true"),
    await dial("/ws?from="),
    await dial("/ws?to=1"),
  ];
  sender.says("2:hi");
  expect(named.heard).toEqual(["1:hi"]);
  for (const id of [3, 4, 5, 6]) sender.says(`${id}:hi`);
  expect(plain.map(({ heard }) => heard)).toEqual([["hi"], ["hi"], ["hi"], ["hi"]]);
});

test("/echo opens an echo, which uses no id", async () => {
  const { dial, relay } = startApp();
  const client = await dial("/echo");
  client.says("1:hi");
  expect(client.heard).toEqual(["res:1:hi"]);
  expect(relay.holdings.sessions).toBe(0);
});

describe("GET /healthz", () => {
  test("says ok for as long as the process lives, shutting down included", async () => {
    const { app, relay } = startApp();
    expect((await app.request("/healthz")).status).toBe(200);
    await relay.shutdown();
    const response = await app.request("/healthz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok" });
  });
});

describe("GET /readyz", () => {
  test("says ready while the relay takes connections", async () => {
    const response = await startApp().app.request("/readyz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ready" });
  });

  test("says 503 and the reason when the relay is full or shutting down", async () => {
    const { app, relay, connect } = startApp({ maxConnections: 1 });
    const client = connect();
    const full = await app.request("/readyz");
    expect(full.status).toBe(503);
    expect(await full.json()).toMatchObject({ error: { code: "full" } });
    client.leaves();
    await relay.shutdown();
    const stopped = await app.request("/readyz");
    expect(stopped.status).toBe(503);
    expect(await stopped.json()).toMatchObject({ error: { code: "shutting_down" } });
  });
});

test("any other path gets 404 and the relay's path", async () => {
  const response = await startApp().app.request("/wss");
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({ error: { code: "not_found", message: expect.stringContaining("/ws") } });
});

describe("with a base path", () => {
  const { relay } = startRelay();
  const upgradeWebSocket = (): Response => new Response(null, { headers: { "X-Upgraded": "yes" } });
  const runtime = { upgradeWebSocket, peerAddress: () => undefined };
  const { routes, direct, upgradePaths } = createRelayApp(relay, runtime, { basePath: "/a.b/relay" });

  test.each([
    ["/a.b/relay/ws", 101],
    ["/a.b/relay/echo", 101],
    ["/a.b/relay/healthz", 200],
    ["/a.b/relay/readyz", 200],
    ["/a.b/relay/", 200],
    ["/a.b/relay", 200],
    ["/ws", 404],
    ["/healthz", 404],
    ["/", 404],
    ["/axb/relay/ws", 404],
    ["/a.b/relay/ws/", 404],
  ])("%s gets %i", async (path, status) => {
    const headers = /ws|echo/.test(path) ? HANDSHAKE : {};
    const response = await routes.request(path, { headers });
    expect(response.headers.get("X-Upgraded") === null ? response.status : 101).toBe(status);
    expect(upgradePaths.includes(path)).toBe(status === 101);
    expect(direct.readTarget(`${path}?from=1`)?.path).toBe(status === 101 ? path : undefined);
  });

  test("the page and the refusals name the right path", async () => {
    expect(await (await routes.request("/a.b/relay/")).text()).toContain("\n/a.b/relay/ws ");
    expect(await (await routes.request("/ws")).json()).toMatchObject({
      error: { message: "Cannot find /ws: the relay is at /a.b/relay/ws" },
    });
  });

  test("another text is no base path", () => {
    expect(() => createRelayApp(relay, runtime, { basePath: "relay/" })).toThrow(
      'Cannot make a relay: basePath is "relay/"',
    );
  });
});
