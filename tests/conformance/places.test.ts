import { describe, expect, test } from "vitest";
import { JSON_PROTOCOL, openJson } from "./json-client.ts";
import { type Answer, handshake, openTcp, type RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedApp } from "./subject.ts";
import { PATIENCE_MS, until } from "./wait.ts";

const MAX_CONNECTIONS = 5;
const MAX_CONNECTIONS_PER_IP = 3;
const BOUNDS = {
  APP_MAX_CONNECTIONS: String(MAX_CONNECTIONS),
  APP_MAX_CONNECTIONS_PER_IP: String(MAX_CONNECTIONS_PER_IP),
  // Raw clients answer no ping, and must not lose their place for that.
  APP_HEARTBEAT_MS: "60000",
};

/** The relay drops an unfinished handshake after 10 s, and its place is free then. */
const PLACE_PATIENCE_MS = PATIENCE_MS + 5000;

const CONCURRENT = 200;
const RESETS_PER_STAGE = 20;

interface Attempt {
  readonly raw: RawClient;
  readonly status: number;
}

interface ConnectRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

let names = 0;

/** Returns the request of a client from this address, with a new name unless one is given. */
function request(address: string, name = `client-${++names}`, query = ""): ConnectRequest {
  return {
    path: `/relay/ws?name=${name}${query}`,
    headers: { "X-Forwarded-For": address, "Sec-WebSocket-Protocol": JSON_PROTOCOL },
  };
}

/** Sends a handshake, and doesn't wait for the answer. */
async function sendHandshake(app: Server, connectRequest: ConnectRequest): Promise<RawClient> {
  const raw = await openTcp(app.port);
  raw.write(handshake(connectRequest));
  return raw;
}

async function tryConnect(app: Server, connectRequest: ConnectRequest): Promise<Attempt> {
  const raw = await sendHandshake(app, connectRequest);
  const { status } = await raw.answer();
  return { raw, status };
}

/** Tries to connect until the relay accepts: it may not have noticed yet that earlier clients have left. */
async function connectWhenFree(app: Server, connectRequest: ConnectRequest): Promise<RawClient> {
  let accepted: RawClient | undefined;
  const isAccepted = async (): Promise<boolean> => {
    const { raw, status } = await tryConnect(app, connectRequest);
    if (status === 101) accepted = raw;
    else raw.reset();
    return status === 101;
  };
  await until(isAccepted, "a place", PLACE_PATIENCE_MS);
  if (accepted === undefined) throw new Error("The relay accepted no client");
  return accepted;
}

/** Makes this many attempts at once. @returns The accepted clients, and the statuses of the refusals. */
async function tryConnectMany(app: Server, times: number, address: (index: number) => string) {
  const attempts = await Promise.all(
    Array.from({ length: times }, (_, index) => tryConnect(app, request(address(index)))),
  );
  const accepted = attempts.filter(({ status }) => status === 101);
  const refused = attempts.filter(({ status }) => status !== 101);
  for (const { raw } of refused) raw.reset();
  return { accepted: accepted.map(({ raw }) => raw), statuses: new Set(refused.map(({ status }) => status)) };
}

const oneAddress = (): string => "192.0.2.1";
const manyAddresses = (index: number): string => `198.51.100.${index}`;

/** Waits until exactly as many clients can connect as there are places. */
async function untilAllAreFree(app: Server): Promise<void> {
  for (const [address, places] of [
    [manyAddresses, MAX_CONNECTIONS],
    [oneAddress, MAX_CONNECTIONS_PER_IP],
  ] as const) {
    const areFree = async (): Promise<boolean> => {
      const { accepted } = await tryConnectMany(app, MAX_CONNECTIONS + 2, address);
      for (const raw of accepted) raw.reset();
      expect(accepted.length).toBeLessThanOrEqual(places);
      return accepted.length === places;
    };
    await until(areFree, `${places} places to be free`, PLACE_PATIENCE_MS);
  }
  const isReady = async (): Promise<boolean> => (await fetch(app.url("/relay/readyz"))).ok;
  await until(isReady, "the relay to be ready");
}

/** Stages of connecting, each with a function that connects up to it and resets the connection. */
const STAGES: readonly (readonly [string, (app: Server) => Promise<unknown>])[] = [
  ["before its request", async (app) => (await openTcp(app.port)).reset()],
  [
    "in the middle of its request",
    async (app) => {
      const raw = await openTcp(app.port);
      raw.write(handshake(request(oneAddress())).slice(0, 60));
      raw.reset();
    },
  ],
  ["after its request", async (app) => (await sendHandshake(app, request(oneAddress()))).reset()],
  ["after the answer", async (app) => (await tryConnect(app, request(oneAddress()))).raw.reset()],
  [
    "after its first frame",
    async (app) => {
      const { raw, status } = await tryConnect(app, request(oneAddress()));
      if (status === 101) raw.text('{"type":"ping"}');
      raw.reset();
    },
  ],
  [
    "while the relay refuses it by a close frame",
    async (app) => (await tryConnect(app, request(oneAddress(), "refused-403", "&refusal=close"))).raw.reset(),
  ],
];

describe.each(runtimes)("the places of the relay on $name", { timeout: 60_000 }, (runtime) => {
  const app = sharedApp(runtime, { env: BOUNDS });

  test("are as many as the limits say when 200 clients connect at once, and free when they have left", async () => {
    const one = await tryConnectMany(app(), CONCURRENT, oneAddress);
    const many = await tryConnectMany(app(), CONCURRENT, manyAddresses);
    expect([one.accepted.length, many.accepted.length]).toEqual([
      MAX_CONNECTIONS_PER_IP,
      MAX_CONNECTIONS - MAX_CONNECTIONS_PER_IP,
    ]);
    expect([[...one.statuses], [...many.statuses]]).toEqual([[429], [503]]);
    for (const raw of [...one.accepted, ...many.accepted]) raw.reset();
    await untilAllAreFree(app());
  });

  test("are taken by clients that wait for authorize to decide, and free when they have left", async () => {
    const waiting: RawClient[] = [];
    const answers: Promise<Answer>[] = [];
    for (let index = 0; index < MAX_CONNECTIONS_PER_IP; index++) {
      const raw = await sendHandshake(app(), request(oneAddress(), `late-${++names}`));
      await app().process.log.find(({ id }) => id === `late-${names}`, "authorize to be asked");
      waiting.push(raw);
      answers.push(raw.answer());
    }
    answers[0]?.catch(() => {});
    expect((await tryConnect(app(), request(oneAddress()))).status).toBe(429);
    waiting[0]?.reset();
    expect((await fetch(app().url("/accept-pending"), { method: "POST" })).status).toBe(200);
    for (const answer of answers.slice(1)) expect((await answer).status).toBe(101);
    for (const raw of waiting) raw.reset();
    await untilAllAreFree(app());
  });

  test("are free again after clients have reset their connections at any stage of connecting", async () => {
    for (const [, reset] of STAGES) await Promise.all(Array.from({ length: RESETS_PER_STAGE }, () => reset(app())));
    await untilAllAreFree(app());
  });

  test("are not lost to connections that the relay closes as they open", async () => {
    const address = (name: string, query = ""): string => `ws://127.0.0.1:${app().port}/relay/ws?name=${name}${query}`;
    const lost = await openJson(address("stale"));
    const resumed = await openJson(address("stale", `&resume=${lost.token}&attempt=2`));
    for (let times = 0; times < MAX_CONNECTIONS; times++) {
      const raw = await connectWhenFree(app(), request("127.0.0.1", "stale", `&resume=${lost.token}&attempt=1`));
      expect(await raw.closeCode()).toBe(4500);
      raw.reset();
    }
    for (let times = 0; times < MAX_CONNECTIONS; times++) {
      (await connectWhenFree(app(), request(oneAddress(), "open-throws"))).reset();
    }
    resumed.drop();
    await untilAllAreFree(app());
  });
});
