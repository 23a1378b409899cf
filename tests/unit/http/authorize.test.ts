import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/http/app.ts";
import type { AppOptions } from "../../../src/http/app-options.ts";
import type { Open } from "../../../src/http/runtime.ts";
import { FakeClient, FakeConnection, startRelay } from "../fakes.ts";
import { JsonClient } from "../json-client.ts";
import { HANDSHAKE } from "./good-handshake.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts the app with an `authorize`, over a runtime that keeps each upgrade that it was asked for. */
function startApp(authorize?: AppOptions["authorize"], maxConnections = 10) {
  const { relay, turn } = startRelay({ limits: { maxConnections } });
  const upgrades: { readonly open: Open; readonly protocol: string | undefined }[] = [];
  const app = createApp(
    relay,
    {
      upgradeWebSocket: (_c, open, protocol) => {
        upgrades.push({ open, protocol });
        return new Response(null);
      },
      peerAddress: () => "192.0.2.1",
    },
    authorize === undefined ? {} : { authorize },
  );
  const ask = (path = "/ws", headers: Readonly<Record<string, string>> = {}) =>
    app.request(path, { headers: { ...HANDSHAKE, ...headers } });
  const openLast = (connection: FakeConnection) => {
    const upgrade = upgrades.pop();
    if (upgrade === undefined) throw new Error("Nothing was upgraded");
    return upgrade.open(connection);
  };
  const dial = async (path?: string): Promise<FakeClient> => {
    await ask(path);
    const connection = new FakeConnection();
    return new FakeClient(connection, openLast(connection), turn);
  };
  const dialJson = async (path?: string): Promise<JsonClient> => {
    await ask(path, { "Sec-WebSocket-Protocol": "relay.v1.json" });
    const connection = new FakeConnection();
    const client = new JsonClient(connection, openLast(connection), turn);
    turn.end();
    return client;
  };
  return { app, relay, upgrades, ask, dial, dialJson };
}

describe("authorize", () => {
  test.each([
    [401, "unauthorized"],
    [403, "forbidden"],
  ] as const)("refuses a client with %i %s and its own sentence", async (status, code) => {
    const { ask, upgrades } = startApp(() => ({ allow: false, status, message: "Not today" }));
    const response = await ask();
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: { code, message: "Not today" } });
    expect(upgrades).toEqual([]);
  });

  test("gets the request, and may be asynchronous", async () => {
    const { ask, upgrades } = startApp(async (request) => {
      await Promise.resolve();
      const isKnown = new URL(request.url).searchParams.get("key") === "secret";
      return isKnown ? { allow: true } : { allow: false, status: 401, message: "Who are you?" };
    });
    expect((await ask("/ws?key=wrong")).status).toBe(401);
    expect((await ask("/ws?key=secret")).status).toBe(200);
    expect(upgrades.length).toBe(1);
  });

  test("chooses a client's id; without one the client gets the next number", async () => {
    const { dial } = startApp((request) => {
      const id = new URL(request.url).searchParams.get("name");
      return id === null ? { allow: true } : { allow: true, id };
    });
    const [alice, one] = [await dial("/ws?name=alice"), await dial()];
    one.says("alice:hi");
    alice.says("1:hi yourself");
    expect([alice.heard, one.heard]).toEqual([["hi"], ["hi yourself"]]);
  });

  test.each(["", "a b", "a:b", "#a", "x".repeat(65), "é"])("cannot choose the id %j: 403 bad_id", async (id) => {
    const { ask, upgrades } = startApp(() => ({ allow: true, id }));
    const response = await ask();
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: { code: "bad_id" } });
    expect(upgrades).toEqual([]);
  });

  test.each([
    [
      "throws an Error",
      () => {
        throw new Error("a secret defect");
      },
    ],
    ["rejects with an Error", () => Promise.reject(new Error("a secret defect"))],
    ["rejects with a string", () => Promise.reject("a secret defect")],
    ["rejects with undefined", () => Promise.reject(undefined)],
  ])("that %s refuses the client with 500; the response does not have the error", async (_how, authorize) => {
    const { ask, upgrades } = startApp(authorize);
    const response = await ask();
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ error: { code: "internal" } });
    expect(body).not.toContain("secret");
    expect(upgrades).toEqual([]);
  });

  test("may choose an id that is taken, whose connection then closes with 4500", async () => {
    const { dial, relay } = startApp(() => ({ allow: true, id: "alice" }));
    const old = await dial();
    const now = await dial();
    expect(old.did).toEqual(["close 4500"]);
    now.says("alice:me");
    expect([old.heard, now.heard]).toEqual([[], ["me"]]);
    expect(relay.holdings.sessions).toBe(1);
  });

  test("is not called for a request that is no handshake, nor when the relay is full", async () => {
    const authorize = vi.fn(() => ({ allow: true }) as const);
    const { app, ask, relay } = startApp(authorize);
    await app.request("/ws");
    await relay.shutdown();
    await ask();
    expect(authorize).not.toHaveBeenCalled();
  });

  test("has no effect when the relay shuts down before it has decided: 503", async () => {
    const { ask, relay, upgrades } = startApp(async () => {
      await relay.shutdown();
      return { allow: true };
    });
    const response = await ask();
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "shutting_down" } });
    expect(upgrades).toEqual([]);
  });
});

describe("the subprotocol that is answered", () => {
  test.each([
    ["relay.v1.json", "relay.v1.json"],
    ["relay.v1.text, relay.v1.json", "relay.v1.text"],
    ["chat", undefined],
  ])("to the offer %j is %j", async (offers, answered) => {
    const { ask, upgrades } = startApp();
    await ask("/ws", { "Sec-WebSocket-Protocol": offers });
    expect(upgrades.map(({ protocol }) => protocol)).toEqual([answered]);
  });

  test("is none without an offer, and none for the echo", async () => {
    const { ask, upgrades } = startApp();
    await ask();
    await ask("/echo", { "Sec-WebSocket-Protocol": "relay.v1.json" });
    expect(upgrades.map(({ protocol }) => protocol)).toEqual([undefined, undefined]);
  });
});

describe("/ws?resume=", () => {
  test("resumes a session that lost its connection, and begins a new one for an unknown token", async () => {
    const { dialJson } = startApp();
    const lost = await dialJson();
    lost.vanishes();
    const back = await dialJson(`/ws?resume=${lost.welcome.resumeToken}`);
    expect(back.welcome).toMatchObject({ id: "1", resumed: true, recovered: true });
    const fresh = await dialJson("/ws?resume=x");
    expect(fresh.welcome).toMatchObject({ id: "2", resumed: false, recovered: false });
  });
});
