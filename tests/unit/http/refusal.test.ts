import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CLOSE_CODES } from "../../../src/core/link/close-codes.ts";
import type { RefusedConnection } from "../../../src/core/session/observer.ts";
import type { AppOptions } from "../../../src/http/app-options.ts";
import type { Authorization } from "../../../src/http/authorization.ts";
import { closeFrame, REFUSALS, shorten } from "../../../src/http/refusal.ts";
import { startUpgrader } from "./upgrader-fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const refusing = (refusal: Omit<Extract<Authorization, { allow: false }>, "allow">): AppOptions => ({
  authorize: () => ({ allow: false, ...refusal }),
});

describe("with ?refusal=close a refusal", () => {
  test.each([
    [refusing({ status: 401, message: "Who?" }), 4501, "unauthorized: Who?"],
    [refusing({ status: 401, message: "Old.", expired: true }), 4002, "unauthorized: Old."],
    [refusing({ status: 403, message: "Not you" }), 4503, "forbidden: Not you"],
    [refusing({ status: 503, message: "Later" }), 1013, "unavailable: Later"],
    [{ authorize: () => ({ allow: true, id: "no id" }) }, 4503, `bad_id: ${REFUSALS.badId.message}`],
    [{ authorize: () => Promise.reject() }, 1011, `internal: ${REFUSALS.failed.message}`],
    [{ connectRate: 0.1 }, 1013, `busy: ${REFUSALS.busy.message}`],
    [{ connectRatePerIp: 0.1 }, 1013, `too_many_attempts: ${REFUSALS.tooManyAttempts.message}`],
  ] as const)("of %j closes the connection with %i %s", async (options, code, reason) => {
    const { ask, nextUpgrade, upgrades, relay } = startUpgrader(options as AppOptions);
    if ("connectRate" in options || "connectRatePerIp" in options) {
      await ask();
      nextUpgrade().open();
    }
    const { connections, sessions } = relay.holdings;
    await ask("/ws?refusal=close", { "Sec-WebSocket-Protocol": "other, relay.v1.json" });
    expect(upgrades.map(({ protocol }) => protocol)).toEqual(["relay.v1.json"]);
    const client = nextUpgrade().open();
    expect([client.did, client.connection.reasons]).toEqual([[`close ${code}`], [reason]]);
    client.link.onSocketGone(code, "");
    expect(relay.holdings).toMatchObject({ connections, sessions });
  });

  test("takes no place, and at most 64 sockets at a time; further refusals are HTTP responses", async () => {
    const { ask, upgrades, nextUpgrade, relay } = startUpgrader(refusing({ status: 401, message: "Who?" }), {
      maxConnections: 1,
    });
    for (let times = 0; times < 70; times++) await ask("/ws?refusal=close");
    expect(upgrades.length).toBe(64);
    expect(relay.accepts).toBe(true);
    expect(await ask("/ws?refusal=close")).toMatchObject({ status: 401, code: "unauthorized" });
    const client = nextUpgrade().open();
    expect(await ask("/ws?refusal=close")).toMatchObject({ status: 401 });
    client.link.onSocketGone(4501, "");
    expect(await ask("/ws?refusal=close")).toMatchObject({ status: 200 });
    for (const { abandon } of upgrades) abandon();
    expect(await ask("/ws?refusal=close")).toMatchObject({ status: 200 });
  });

  test("tells a page of a forbidden origin only that its origin is forbidden", async () => {
    const authorize = vi.fn(() => ({ allow: true }) as const);
    const { ask, nextUpgrade } = startUpgrader({ origins: "https://example.org", connectRate: 0.1, authorize });
    const Origin = "https://evil.example";
    for (const path of ["/ws", "/nowhere", "/ws"]) {
      await ask(`${path}?refusal=close`, { Origin });
      expect(nextUpgrade().open().connection.reasons).toEqual([expect.stringMatching(/^forbidden_origin: /)]);
    }
    expect(authorize).not.toHaveBeenCalled();
  });

  test("of an unknown path closes with 4504, and counts as an attempt to connect", async () => {
    const { ask, nextUpgrade } = startUpgrader({ connectRatePerIp: 0.1 });
    for (const reason of [/^not_found: .*\/nowhere/, /^too_many_attempts: /]) {
      await ask("/nowhere?refusal=close");
      expect(nextUpgrade().open().connection.reasons).toEqual([expect.stringMatching(reason)]);
    }
  });
});

test("the reason of a refusal is cut at a word, or between two characters, within 123 bytes of UTF-8", () => {
  const reasonOf = (message: string) => closeFrame({ status: 403, code: "x", message }, CLOSE_CODES.forbidden).reason;
  expect(reasonOf("a".repeat(120))).toBe(`x: ${"a".repeat(120)}`);
  expect(reasonOf("a".repeat(121))).toBe(`x: ${"a".repeat(117)}…`);
  expect(reasonOf(`${"a".repeat(115)}😀${"a".repeat(9)}`)).toBe(`x: ${"a".repeat(115)}…`);
  expect(reasonOf(`${"a".repeat(100)} ${"b".repeat(30)}`)).toBe(`x: ${"a".repeat(100)}…`);
  expect(reasonOf("好".repeat(41))).toBe(`x: ${"好".repeat(39)}…`);
  expect(reasonOf(`${"a".repeat(116)}😀`)).toBe(`x: ${"a".repeat(116)}😀`);
});

test("a long text is cut at a word, and never within a character", () => {
  expect(shorten("one two", 7)).toBe("one two");
  expect(shorten("one two three", 12)).toBe("one two…");
  expect(shorten("one twothreefourfive", 12)).toBe("one twothre…");
  expect(shorten("aaa😀😀", 5)).toBe("aaa…");
});

describe("the observer gets a refused connection", () => {
  test.each([
    ["/ws?token=secret", { status: 401, code: "unauthorized", message: "Who?", path: "/ws" }],
    ["/ws?refusal=close", { status: 401, code: "unauthorized", message: "Who?", path: "/ws" }],
    ["/echo", { status: 401, code: "unauthorized", message: "Who?", path: "/echo" }],
    [`/${"x".repeat(300)}`, { status: 404, code: "not_found", path: `/${"x".repeat(198)}…` }],
  ])("at %s, once and without the query", async (path, expected) => {
    const refused: RefusedConnection[] = [];
    const { ask } = startUpgrader({
      ...refusing({ status: 401, message: "Who?" }),
      observer: { refused: (connection) => refused.push(connection) },
    });
    await ask(path, { Origin: "https://example.org" });
    expect(refused).toEqual([
      expect.objectContaining({ address: "192.0.2.1", origin: "https://example.org", ...expected }),
    ]);
  });

  test("and an observer that throws changes nothing", async () => {
    const failures: unknown[] = [];
    const { ask } = startUpgrader({
      ...refusing({ status: 401, message: "Who?" }),
      observer: {
        refused: () => {
          throw new Error("a defect");
        },
        failed: (id) => failures.push(id),
      },
    });
    expect(await ask()).toMatchObject({ status: 401 });
    expect(failures).toEqual(["observer"]);
  });

  test("but not a request that asks for no WebSocket", async () => {
    const refused: unknown[] = [];
    const { app } = startUpgrader({ observer: { refused: (connection) => refused.push(connection) } });
    expect((await app.request("/favicon.ico")).status).toBe(404);
    expect(refused).toEqual([]);
  });
});

test("the observer gets a connection's address, origin and protocol, and the time of its handshake", async () => {
  const told: unknown[] = [];
  const { ask, nextUpgrade } = startUpgrader({ observer: { connected: (id, details) => told.push([id, details]) } });
  await ask("/ws", { Origin: "https://example.org", "Sec-WebSocket-Protocol": "relay.v1.text" });
  await ask("/ws");
  await ask("/echo");
  for (let times = 0; times < 3; times++) nextUpgrade().open();
  const client = { address: "192.0.2.1", origin: undefined, handshakeMs: expect.any(Number) };
  expect(told).toEqual([
    ["1", { ...client, origin: "https://example.org", protocol: "relay.v1.text" }],
    ["2", { ...client, protocol: "plain" }],
    ["echo", { ...client, protocol: "echo" }],
  ]);
});
