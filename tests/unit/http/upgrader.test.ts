import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/http/app.ts";
import type { AppOptions } from "../../../src/http/app-options.ts";
import type { Open } from "../../../src/http/runtime.ts";
import { FakeClient, FakeConnection, startRelay } from "../fakes.ts";
import { HANDSHAKE } from "./good-handshake.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts the app with the options. The test chooses the address of each request. */
function startApp(options: AppOptions) {
  const { relay, turn } = startRelay();
  const upgrades: Open[] = [];
  let peer = "192.0.2.1";
  const app = createApp(
    relay,
    {
      upgradeWebSocket: (_c, open) => {
        upgrades.push(open);
        return new Response(null);
      },
      peerAddress: () => peer,
    },
    options,
  );
  const ask = async (from = "192.0.2.1", headers: Readonly<Record<string, string>> = {}, path = "/ws") => {
    peer = from;
    const response = await app.request(path, { headers: { ...HANDSHAKE, ...headers } });
    const body = await response.text();
    return { status: response.status, code: body === "" ? undefined : JSON.parse(body).error.code, response };
  };
  /** Asks for a connection, and opens its socket. */
  const dial = async (from?: string): Promise<FakeClient> => {
    await ask(from);
    const connection = new FakeConnection();
    const open = upgrades.pop();
    if (open === undefined) throw new Error("Nothing was upgraded");
    return new FakeClient(connection, open(connection), turn);
  };
  return { relay, ask, dial, upgrades };
}

const TOO_MANY = { status: 429, code: "too_many_connections" };

describe("connections of one address", () => {
  test("are at most maxConnectionsPerIp, and one that closes makes room", async () => {
    const { ask, dial } = startApp({ maxConnectionsPerIp: 2 });
    const [one] = [await dial(), await dial()];
    expect(await ask()).toMatchObject(TOO_MANY);
    expect(await ask("192.0.2.2")).toMatchObject({ status: 200 });
    one.leaves();
    expect(await ask()).toMatchObject({ status: 200 });
  });

  test("count together for all addresses of one IPv6 /64, and of no other", async () => {
    const { ask, dial } = startApp({ maxConnectionsPerIp: 1 });
    await dial("2001:db8:1:2::1");
    expect(await ask("2001:db8:1:2:ffff::9")).toMatchObject(TOO_MANY);
    expect(await ask("2001:db8:1:3::1")).toMatchObject({ status: 200 });
  });

  test("are told apart behind a trusted proxy, but not by a header that the client wrote", async () => {
    const { ask, dial } = startApp({ maxConnectionsPerIp: 1, trustedProxies: "10.0.0.0/8" });
    await dial("192.0.2.1");
    expect(await ask("192.0.2.1", { "X-Forwarded-For": "198.51.100.7" })).toMatchObject(TOO_MANY);
    expect(await ask("10.1.2.3", { "X-Forwarded-For": "192.0.2.1" })).toMatchObject(TOO_MANY);
    expect(await ask("10.1.2.3", { "X-Forwarded-For": "spoofed, 198.51.100.7" })).toMatchObject({ status: 200 });
  });

  test("are counted also when authorize is asynchronous", async () => {
    const { ask, dial } = startApp({
      maxConnectionsPerIp: 1,
      authorize: async () => {
        await Promise.resolve();
        return { allow: true };
      },
    });
    await dial();
    expect(await ask()).toMatchObject(TOO_MANY);
  });
});

describe("new connections", () => {
  test("of one address are at most connectRatePerIp, bad handshakes included; others are accepted", async () => {
    const { ask } = startApp({ connectRatePerIp: 1 });
    expect((await ask("192.0.2.1", { "Sec-WebSocket-Key": "bad" })).status).toBe(400);
    expect((await ask()).status).toBe(200);
    const { status, code, response } = await ask();
    expect([status, code, response.headers.get("Retry-After")]).toEqual([429, "too_many_attempts", "1"]);
    expect((await ask("192.0.2.2")).status).toBe(200);
    vi.advanceTimersByTime(1000);
    expect((await ask()).status).toBe(200);
  });

  test("of all addresses together are at most connectRate", async () => {
    const { ask } = startApp({ connectRate: 1 });
    const answers = [await ask("192.0.2.1"), await ask("192.0.2.2"), await ask("192.0.2.3")];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 503]);
    expect(answers.at(-1)?.code).toBe("busy");
  });
});

describe("the origin of a page", () => {
  test.each(["/ws", "/echo"])("decides on %s: 403 for one that is not listed", async (path) => {
    const { ask, upgrades } = startApp({ origins: "https://example.org,https://*.example.org" });
    const from = (Origin: string) => ask(undefined, { Origin }, path);
    expect(await from("https://evil.example")).toMatchObject({ status: 403, code: "forbidden_origin" });
    expect(await from("https://example.org.evil.example")).toMatchObject({ status: 403 });
    expect(await from("https://example.org")).toMatchObject({ status: 200 });
    expect(await from("https://chat.example.org")).toMatchObject({ status: 200 });
    expect((await ask(undefined, {}, path)).status).toBe(200);
    expect(upgrades.length).toBe(3);
  });

  test("may be any without the option", async () => {
    expect((await startApp({}).ask(undefined, { Origin: "https://anywhere.example" })).status).toBe(200);
  });
});

describe("the decision of authorize", () => {
  test("limits the session's rights, and ends the session at expiresAt", async () => {
    const { dial } = startApp({
      authorize: () => ({ allow: true, id: "alice", to: ["alice"], rooms: [], expiresAt: Date.now() + 10_000 }),
    });
    const alice = await dial();
    alice.says("bob:hello");
    alice.says("alice:hello");
    expect(alice.heard).toEqual([expect.stringMatching(/^:error forbidden /), "hello"]);
    vi.advanceTimersByTime(10_000);
    expect(alice.did).toContain("close 4002");
  });

  test("applies to the echo too", async () => {
    const { ask } = startApp({ authorize: () => ({ allow: false, status: 401, message: "Who are you?" }) });
    const { status, response } = await ask(undefined, {}, "/echo");
    expect([status, response.headers.get("WWW-Authenticate")]).toEqual([401, "Bearer"]);
  });

  test("is reported as a failure when authorize throws", async () => {
    const failures: unknown[] = [];
    const defect = new Error("a defect");
    const { ask } = startApp({
      authorize: () => Promise.reject(defect),
      observer: { failed: (id, error) => failures.push([id, error]) },
    });
    expect((await ask()).status).toBe(500);
    expect(failures).toEqual([["authorize", defect]]);
  });

  test("may be a refusal for now: 503", async () => {
    const { ask } = startApp({ authorize: () => ({ allow: false, status: 503, message: "Come back" }) });
    expect(await ask()).toMatchObject({ status: 503, code: "unavailable" });
  });
});

test.each([{ origins: "example.org" }, { trustedProxies: "10.0.0.0/99" }])("%j is refused", (options) => {
  expect(() => startApp(options)).toThrow(RangeError);
});
