import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/http/app.ts";
import type { Authorization } from "../../../src/http/authorization.ts";
import { startRelay } from "../fakes.ts";
import { HANDSHAKE } from "./good-handshake.ts";
import { startUpgrader } from "./upgrader-fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const FULL = { status: 503, code: "full" };
const TOO_MANY = { status: 429, code: "too_many_connections" };

/** Starts an app with one place, one for each address, and an `authorize` that decides when the test says so. */
function startSlowUpgrader() {
  const decisions: ((authorization: Authorization) => void)[] = [];
  const failures: ((reason: unknown) => void)[] = [];
  const authorize = () =>
    new Promise<Authorization>((resolve, reject) => {
      decisions.push(resolve);
      failures.push(reject);
    });
  return { ...startUpgrader({ authorize, maxConnectionsPerIp: 1 }, { maxConnections: 1 }), decisions, failures };
}

describe.each([
  ["of all", {}, { maxConnections: 3 }, FULL],
  ["of one address", { maxConnectionsPerIp: 3 }, {}, TOO_MANY],
])("the places %s", (_whose, options, limits, refusal) => {
  test.each(["/ws", "/echo"])("are taken by pending requests for %s", async (path) => {
    const { ask, upgrades } = startUpgrader(options, limits);
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(path)));
    expect(answers.filter(({ status }) => status === 200).length).toBe(3);
    expect(answers.filter(({ code }) => code === refusal.code).length).toBe(197);
    expect(upgrades.length).toBe(3);
  });

  test("are taken by requests that authorize has not decided on yet", async () => {
    const authorize = vi.fn(() => new Promise<Authorization>(() => {}));
    const { ask } = startUpgrader({ ...options, authorize }, limits);
    for (let times = 0; times < 3; times++) ask();
    expect(await ask()).toMatchObject(refusal);
    expect(authorize).toHaveBeenCalledTimes(3);
  });
});

describe("a place is released once", () => {
  test("when the socket is gone", async () => {
    const { ask, nextUpgrade } = startUpgrader({ maxConnectionsPerIp: 1 }, { maxConnections: 1 });
    await ask();
    const upgrade = nextUpgrade();
    const client = upgrade.open();
    expect(await ask()).toMatchObject(TOO_MANY);
    client.leaves();
    client.leaves();
    upgrade.abandon();
    expect(await ask()).toMatchObject({ status: 200 });
    expect(await ask()).toMatchObject(TOO_MANY);
  });

  test("when the runtime says that the socket will never open", async () => {
    const { ask, nextUpgrade } = startUpgrader({ maxConnectionsPerIp: 1 }, { maxConnections: 1 });
    await ask();
    const upgrade = nextUpgrade();
    upgrade.abandon();
    upgrade.abandon();
    vi.advanceTimersByTime(10_000);
    expect(await ask()).toMatchObject({ status: 200 });
    expect(await ask()).toMatchObject(TOO_MANY);
  });

  test("when the socket has not opened 10 s after its request; one that opens later is closed", async () => {
    const { ask, relay, nextUpgrade } = startUpgrader({ maxConnectionsPerIp: 1 }, { maxConnections: 1 });
    await ask();
    const late = nextUpgrade();
    vi.advanceTimersByTime(9999);
    expect(await ask()).toMatchObject(TOO_MANY);
    vi.advanceTimersByTime(1);
    expect(await ask()).toMatchObject({ status: 200 });
    const client = late.open();
    expect(client.did).toEqual(["close 1013"]);
    client.leaves();
    expect(relay.accepts).toBe(false);
    expect(nextUpgrade().open().did).toEqual([]);
  });

  test.each([
    ["refuses", { allow: false, status: 403, message: "Not you" }, 403],
    ["chooses an invalid id", { allow: true, id: "no id" }, 403],
  ] as const)("when authorize %s", async (_what, authorization, status) => {
    const { ask, relay, decisions } = startSlowUpgrader();
    const answer = ask();
    expect(relay.accepts).toBe(false);
    decisions[0]?.(authorization);
    expect(await answer).toMatchObject({ status });
    expect(relay.accepts).toBe(true);
  });

  test("when authorize rejects", async () => {
    const { ask, relay, failures } = startSlowUpgrader();
    const answer = ask();
    failures[0]?.(new Error("a defect"));
    expect(await answer).toMatchObject({ status: 500 });
    expect(relay.accepts).toBe(true);
  });

  test("when authorize has not decided in 10 s: 503, and a later decision is ignored", async () => {
    const { ask, relay, decisions, upgrades } = startSlowUpgrader();
    const answer = ask();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await answer).toMatchObject({ status: 503, code: "unavailable" });
    expect(relay.accepts).toBe(true);
    decisions[0]?.({ allow: true });
    await vi.advanceTimersByTimeAsync(0);
    expect(upgrades).toEqual([]);
    expect(relay.accepts).toBe(true);
  });

  test("when the runtime fails on the upgrade", async () => {
    const { relay } = startRelay({ limits: { maxConnections: 1 } });
    const upgradeWebSocket = () => {
      throw new Error("a defect");
    };
    const app = createApp(relay, { upgradeWebSocket, peerAddress: () => undefined });
    expect((await app.request("/ws", { headers: HANDSHAKE })).status).toBe(500);
    expect(relay.accepts).toBe(true);
  });
});
