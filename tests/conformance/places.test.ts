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
  // Clients that speak by hand answer no ping: none of them is to lose its place for that.
  APP_HEARTBEAT_MS: "60000",
};

/** A handshake that is never finished gives its place back after 10 s. */
const PLACE_PATIENCE_MS = PATIENCE_MS + 5000;

const AT_ONCE = 200;
const EACH = 20;

interface Asked {
  readonly raw: RawClient;
  readonly status: number;
}

interface Question {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

let names = 0;

/** A good handshake by somebody whom nobody has seen before. */
function question(address: string, name = `somebody-${++names}`, query = ""): Question {
  return {
    path: `/relay/ws?name=${name}${query}`,
    headers: { "X-Forwarded-For": address, "Sec-WebSocket-Protocol": JSON_PROTOCOL },
  };
}

/** Asks by hand. */
async function dial(app: Server, asked: Question): Promise<RawClient> {
  const raw = await openTcp(app.port);
  raw.write(handshake(asked));
  return raw;
}

async function ask(app: Server, asked: Question): Promise<Asked> {
  const raw = await dial(app, asked);
  const { status } = await raw.answer();
  return { raw, status };
}

/** Asks until there is a place: those who have just gone may not have been missed yet. */
async function askUntilLetIn(app: Server, asked: Question): Promise<RawClient> {
  let letIn: RawClient | undefined;
  const isLetIn = async (): Promise<boolean> => {
    const { raw, status } = await ask(app, asked);
    if (status === 101) letIn = raw;
    else raw.reset();
    return status === 101;
  };
  await until(isLetIn, "a place", PLACE_PATIENCE_MS);
  if (letIn === undefined) throw new Error("Nobody was let in");
  return letIn;
}

/** Asks so many times at once. @returns Those who were let in, and the statuses of all others. */
async function askAtOnce(app: Server, times: number, address: (index: number) => string) {
  const asked = await Promise.all(Array.from({ length: times }, (_, index) => ask(app, question(address(index)))));
  const letIn = asked.filter(({ status }) => status === 101);
  const refused = asked.filter(({ status }) => status !== 101);
  for (const { raw } of refused) raw.reset();
  return { letIn: letIn.map(({ raw }) => raw), refusals: new Set(refused.map(({ status }) => status)) };
}

const oneAddress = (): string => "192.0.2.1";
const manyAddresses = (index: number): string => `198.51.100.${index}`;

/** Waits until all places are free: as many as there are can be taken again, and no more. */
async function untilAllAreFree(app: Server): Promise<void> {
  for (const [address, places] of [
    [manyAddresses, MAX_CONNECTIONS],
    [oneAddress, MAX_CONNECTIONS_PER_IP],
  ] as const) {
    const areFree = async (): Promise<boolean> => {
      const { letIn } = await askAtOnce(app, MAX_CONNECTIONS + 2, address);
      for (const raw of letIn) raw.reset();
      expect(letIn.length).toBeLessThanOrEqual(places);
      return letIn.length === places;
    };
    await until(areFree, `${places} places to be free`, PLACE_PATIENCE_MS);
  }
  const isReady = async (): Promise<boolean> => (await fetch(app.url("/relay/readyz"))).ok;
  await until(isReady, "the relay to be ready");
}

/** Where a client resets its connection. */
const STAGES: readonly (readonly [string, (app: Server) => Promise<unknown>])[] = [
  ["before it has asked", async (app) => (await openTcp(app.port)).reset()],
  [
    "in the middle of its request",
    async (app) => {
      const raw = await openTcp(app.port);
      raw.write(handshake(question(oneAddress())).slice(0, 60));
      raw.reset();
    },
  ],
  ["when it has asked", async (app) => (await dial(app, question(oneAddress()))).reset()],
  ["with the answer", async (app) => (await ask(app, question(oneAddress()))).raw.reset()],
  [
    "with its first frame",
    async (app) => {
      const { raw, status } = await ask(app, question(oneAddress()));
      if (status === 101) raw.text('{"type":"ping"}');
      raw.reset();
    },
  ],
  [
    "when it is told by a close frame why it is refused",
    async (app) => (await ask(app, question(oneAddress(), "refused-403", "&refusal=close"))).raw.reset(),
  ],
];

describe.each(runtimes)("the places of the relay on $name", { timeout: 60_000 }, (runtime) => {
  const app = sharedApp(runtime, { env: BOUNDS });

  test("are as many as the bounds say, however many ask at once, and free again when their clients have gone", async () => {
    const [one, many] = [await askAtOnce(app(), AT_ONCE, oneAddress), await askAtOnce(app(), AT_ONCE, manyAddresses)];
    expect([one.letIn.length, many.letIn.length]).toEqual([
      MAX_CONNECTIONS_PER_IP,
      MAX_CONNECTIONS - MAX_CONNECTIONS_PER_IP,
    ]);
    expect([[...one.refusals], [...many.refusals]]).toEqual([[429], [503]]);
    for (const raw of [...one.letIn, ...many.letIn]) raw.reset();
    await untilAllAreFree(app());
  });

  test("are taken by those on whom authorize has not decided, and free when they have gone", async () => {
    const waiting: RawClient[] = [];
    const answers: Promise<Answer>[] = [];
    for (let index = 0; index < MAX_CONNECTIONS_PER_IP; index++) {
      const raw = await dial(app(), question(oneAddress(), `late-${++names}`));
      await app().process.log.find(({ id }) => id === `late-${names}`, "authorize to be asked");
      waiting.push(raw);
      answers.push(raw.answer());
    }
    answers[0]?.catch(() => {});
    expect((await ask(app(), question(oneAddress()))).status).toBe(429);
    waiting[0]?.reset();
    expect((await fetch(app().url("/let-in"), { method: "POST" })).status).toBe(200);
    for (const answer of answers.slice(1)) expect((await answer).status).toBe(101);
    for (const raw of waiting) raw.reset();
    await untilAllAreFree(app());
  });

  test("are free again when clients have reset their connections at any stage", async () => {
    for (const [, reset] of STAGES) await Promise.all(Array.from({ length: EACH }, () => reset(app())));
    await untilAllAreFree(app());
  });

  test("are not lost to connections that the relay closes as they open", async () => {
    const address = (name: string, query = ""): string => `ws://127.0.0.1:${app().port}/relay/ws?name=${name}${query}`;
    const lost = await openJson(address("stale"));
    const now = await openJson(address("stale", `&resume=${lost.token}&attempt=2`));
    for (let times = 0; times < MAX_CONNECTIONS; times++) {
      const raw = await askUntilLetIn(app(), question("127.0.0.1", "stale", `&resume=${lost.token}&attempt=1`));
      expect(await raw.closeCode()).toBe(4500);
      raw.reset();
    }
    for (let times = 0; times < MAX_CONNECTIONS; times++) {
      (await askUntilLetIn(app(), question(oneAddress(), "open-throws"))).reset();
    }
    now.drop();
    await untilAllAreFree(app());
  });
});
