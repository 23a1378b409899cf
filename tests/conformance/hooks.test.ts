import { describe, expect, test } from "vitest";
import { openClient } from "./client.ts";
import { JSON_PROTOCOL, type JsonClient, openJson } from "./json-client.ts";
import { type Answer, handshake, openTcp, type RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedApp } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";
import { until } from "./wait.ts";

/** Names of clients that the app refuses or fails on (apps/hooks.ts), each with the answer that the client gets. */
const REFUSALS: readonly (readonly [name: string, status: number, code: string])[] = [
  ["refused-401", 401, "unauthorized"],
  ["refused-403", 403, "forbidden"],
  ["throws", 500, "internal"],
  ["throws-nothing", 500, "internal"],
  ["rejects", 500, "internal"],
  ["rejects-with-text", 500, "internal"],
  ["answers-undefined", 500, "internal"],
  ["answers-null", 500, "internal"],
  ["id-empty", 403, "bad_id"],
  ["id-with-space", 403, "bad_id"],
  ["id-too-long", 403, "bad_id"],
  ["id-null", 403, "bad_id"],
  ["id-number", 403, "bad_id"],
];

/** Close codes of the refusals above, by status, for clients that connect with `?refusal=close`. */
const CLOSE_CODES = new Map([
  [401, 4501],
  [403, 4503],
  [500, 1011],
]);

/** Texts that make onMessage refuse or fail (apps/hooks.ts), each with the error that the sender gets. */
const DECISIONS: readonly (readonly [text: string, code: string, temporary: boolean])[] = [
  ["refuse", "forbidden", false],
  ["throw", "internal", true],
  ["throw nothing", "internal", true],
  ["a number", "internal", true],
  ["promise false", "forbidden", false],
  ["reject", "internal", true],
  ["reject later", "internal", true],
];

/** Ways in which onOpen or onClose fails (apps/hooks.ts). */
const FAULTS = ["throws", "rejects", "rejects-later"];

function address(app: Server, name: string): string {
  return `ws://127.0.0.1:${app.port}/relay/ws?name=${name}`;
}

/** Sends a handshake over a raw connection. @returns The connection, which has no answer yet. */
async function sendHandshake(app: Server, name: string, query = ""): Promise<RawClient> {
  const raw = await openTcp(app.port);
  raw.write(handshake({ path: `/relay/ws?name=${name}${query}` }));
  return raw;
}

async function body(raw: RawClient, answer: Answer): Promise<unknown> {
  return JSON.parse(await raw.body(answer));
}

/** Waits until the app has logged the message about the id. */
async function logged(app: Server, message: string, id: string): Promise<void> {
  await app.process.log.find((line) => line.message === message && line.id === id, `"${message}" of ${id} in the log`);
}

/** Makes the app accept the clients whose authorization is pending. */
async function acceptPending(app: Server): Promise<void> {
  expect((await fetch(app.url("/accept-pending"), { method: "POST" })).status).toBe(200);
}

/** Waits until the id is free. */
async function untilFree(one: JsonClient, id: string): Promise<void> {
  await until(async () => {
    const { error } = await one.ask({ type: "send", to: id, data: "are you there?" });
    return JSON.stringify(error ?? "").includes("no_such_id");
  }, `the id ${id} to be free`);
}

/** Checks that the app answers a request and relays a message. */
async function expectToServe(app: Server): Promise<void> {
  expect(await (await fetch(app.url("/"))).text()).toBe("somebody's app");
  const [one, two] = [await openJson(address(app, "good-1")), await openJson(address(app, "good-2"))];
  expect(await one.ask({ type: "send", to: "good-2", data: "still here" })).toEqual({ outcome: "delivered" });
  expect(await two.next()).toMatchObject({ from: "good-1", data: "still here" });
  await Promise.all([one.close(), two.close()]);
}

describe.each(runtimes)("the app around the relay on $name", (runtime) => {
  const app = sharedApp(runtime);

  test("chooses its clients' ids, and serves the relay below the path at which it is mounted", async () => {
    const [alice, bob] = [await openJson(address(app(), "alice")), await openClient(address(app(), "bob"))];
    expect(alice.id).toBe("alice");
    bob.send("alice:hi");
    expect(await alice.next()).toMatchObject({ from: "bob", data: "hi" });
    expect((await fetch(app().url("/relay/healthz"))).status).toBe(200);
    expect((await fetch(app().url("/ws"))).status).toBe(404);
    await expectToServe(app());
  });

  test("closes a client with 4500 when it gives the client's id to another one", async () => {
    const first = await openJson(address(app(), "carol"));
    const second = await openJson(address(app(), "carol"));
    expect(await first.untilClosed()).toMatchObject({ code: 4500 });
    expect(second.welcome).toMatchObject({ id: "carol", resumed: false });
  });

  test.each(REFUSALS)('refuses the client named "%s" with %i %s, without details of the fault', async (...row) => {
    const [name, status, code] = row;
    const raw = await sendHandshake(app(), name);
    const answer = await raw.answer();
    expect(answer.status).toBe(status);
    const content = await body(raw, answer);
    expect(content).toEqual({ error: { code, message: expect.any(String) } });
    expect(JSON.stringify(content)).not.toContain("secret");
    const closed = await (await sendHandshake(app(), name, "&refusal=close")).closeFrame();
    expect(closed).toEqual({ code: CLOSE_CODES.get(status), reason: expect.stringMatching(`^${code}: `) });
    expect(closed.reason).not.toContain("secret");
    await expectToServe(app());
  });

  test("whose authorize returns true, which is no valid answer, accepts nobody", async () => {
    const raw = await sendHandshake(app(), "answers-true");
    expect((await raw.answer()).status).toBeGreaterThanOrEqual(400);
    await expectToServe(app());
  });

  test("whose authorize decides late accepts the client that has waited", async () => {
    const raw = await sendHandshake(app(), "late-patient");
    await logged(app(), "asked", "late-patient");
    await acceptPending(app());
    expect((await raw.answer()).status).toBe(101);
    const one = await openJson(address(app(), "dora"));
    expect(await one.ask({ type: "send", to: "late-patient", data: "at last" })).toEqual({ outcome: "delivered" });
    expect(await raw.next()).toBe("at last");
  });

  test("whose authorize decides after its clients have left keeps nothing of them", async () => {
    const names = Array.from({ length: 10 }, (_, index) => `late-gone-${index}`);
    for (const name of names) {
      const raw = await sendHandshake(app(), name);
      await logged(app(), "asked", name);
      raw.reset();
    }
    await acceptPending(app());
    const one = await openJson(address(app(), "emma"));
    for (const name of names) await untilFree(one, name);
    await expectToServe(app());
  });

  test("whose authorize decides late on many clients at once accepts those that have not left", async () => {
    const raws = new Map<string, RawClient>();
    for (let index = 0; index < 20; index++) {
      const name = `late-many-${index}`;
      raws.set(name, await sendHandshake(app(), name));
      await logged(app(), "asked", name);
    }
    const [left, stayed] = [[...raws].slice(0, 10), [...raws].slice(10)];
    for (const [, raw] of left) raw.reset();
    await acceptPending(app());
    const one = await openJson(address(app(), "fay"));
    for (const [name, raw] of stayed) {
      expect((await raw.answer()).status).toBe(101);
      expect(await one.ask({ type: "send", to: name, data: name })).toEqual({ outcome: "delivered" });
      expect(await raw.next()).toBe(name);
    }
    for (const [name] of left) await untilFree(one, name);
  });
});

describe.each(runtimes)("onMessage of the app around the relay on $name", (runtime) => {
  const app = sharedApp(runtime);

  test.each(DECISIONS)("answers %j with %s to the sender, in each protocol, and sends nothing", async (...row) => {
    const [words, code, temporary] = row;
    const [one, two] = [await openJson(address(app(), "one")), await openJson(address(app(), "two"))];
    for (const client of [one, two]) await client.ask({ type: "join", room: "lobby" });
    expect(await one.next()).toMatchObject({ type: "presence", event: "joined" });
    const error = { code, message: expect.not.stringContaining("secret"), temporary };

    expect(await one.ask({ type: "send", to: "two", data: words })).toEqual({ outcome: "failed", error });
    expect(await one.ask({ type: "publish", room: "lobby", data: words })).toEqual({ outcome: "failed", error });
    one.send({ type: "send", to: "two", data: words });
    expect(await one.next()).toEqual({ type: "error", error });
    const plain = await openClient(address(app(), "plain"));
    plain.send(`two:${words}`);
    expect(await plain.next()).toMatch(new RegExp(`^:error ${code} `));
    const text = await openClient(address(app(), "text"), [TEXT_PROTOCOL]);
    expect(await text.next()).toBe(":welcome text");
    text.send(`two:${words}`);
    expect(await text.next()).toMatch(new RegExp(`^:error ${code} `));

    if (code === "internal") for (const id of ["one", "plain", "text"]) await logged(app(), "failed", id);
    expect(await one.ask({ type: "send", to: "two", data: "good" })).toEqual({ outcome: "delivered" });
    expect(await two.next()).toMatchObject({ from: "one", data: "good", sequenceId: 1 });
    await expect(two).toStaySilent();
    await expectToServe(app());
    await Promise.all([one, two, plain, text].map((client) => client.close()));
  });
});

describe.each(runtimes)("a message that onMessage of the app receives, on $name", (runtime) => {
  const app = sharedApp(runtime);

  test("has its text as a string, whatever protocol its sender speaks", async () => {
    const plain = await openClient(address(app(), "plain"));
    plain.send("plain:only as a string");
    expect(await plain.next()).toBe("only as a string");
    const text = await openClient(address(app(), "text"), [TEXT_PROTOCOL]);
    text.send("text:only as a string");
    for (const line of [":welcome text", "text:only as a string"]) expect(await text.next()).toBe(line);
  });
});

describe.each(runtimes)("an asynchronous onMessage of the app on $name", (runtime) => {
  const app = sharedApp(runtime);

  test("keeps the order of its sender's frames in each protocol, and holds back nobody else's", async () => {
    const [one, two] = [await openJson(address(app(), "one")), await openJson(address(app(), "two"))];
    const plain = await openClient(address(app(), "plain"));
    for (const data of ["wait", "second", "wait"]) one.send({ type: "send", to: "two", data });
    one.send({ type: "join", room: "lobby", ackId: 1 });
    for (const data of ["wait", "fifth"]) plain.send(`two:${data}`);
    two.send({ type: "send", to: "two", data: "mine" });
    const bySender = new Map<unknown, unknown[]>();
    for (let count = 0; count < 6; count++) {
      const { from, data } = await two.next();
      bySender.set(from, [...(bySender.get(from) ?? []), data]);
    }
    expect(bySender.get("one")).toEqual(["wait", "second", "wait"]);
    expect(bySender.get("plain")).toEqual(["wait", "fifth"]);
    expect(await one.next()).toEqual({ type: "ack", ackId: 1, outcome: "done" });
    await logged(app(), "onJoin lobby", "one");
    await Promise.all([one, two, plain].map((client) => client.close()));
  });

  test("may replace a message, now or later", async () => {
    const [plain, json] = [await openClient(address(app(), "plain")), await openJson(address(app(), "json"))];
    for (const to of ["plain", "json"]) for (const how of ["replace", "replace later"]) plain.send(`${to}:${how}`);
    expect([await plain.next(), await plain.next()]).toEqual(['{"instead":"of it"}', Buffer.from([1, 255])]);
    expect(await json.next()).toMatchObject({ from: "plain", data: { instead: "of it" } });
    expect(await json.next()).toMatchObject({ from: "plain", data: "Af8=", encoding: "base64" });
    await Promise.all([plain, json].map((client) => client.close()));
  });
});

describe.each(runtimes)("an exception in the relay on $name", (runtime) => {
  const app = sharedApp(runtime);

  test.each([[[]], [[TEXT_PROTOCOL]], [[JSON_PROTOCOL]]])(
    "while it reads a frame of a client of %j closes that connection with 1011, and no other",
    async (protocols) => {
      const two = await openJson(address(app(), "two"));
      const one = await openClient(address(app(), "unlucky"), protocols);
      one.send('{"type":"ping","text":"a fault in the relay"}');
      while (!String(await one.next()).includes("internal"));
      expect(await one.untilClosed()).toEqual({ code: 1011, reason: "The relay failed on this connection" });
      await logged(app(), "failed", "unlucky");
      await untilFree(two, "unlucky");
      await expectToServe(app());
    },
  );
});

const runtimesOnNodeHttp = runtimes.filter(({ neighbours }) => neighbours !== undefined);

// Bun.serve does not wait for the answer to a close, and Deno.serve cannot drop a socket.
describe.each(runtimesOnNodeHttp)("closeTimeoutMs of the app on $name", (runtime) => {
  const app = sharedApp(runtime);

  test("is the time that a client has to answer a close, longer than the default too", async () => {
    const raw = await app().openRaw({ path: "/unobserved/ws?name=expires" });
    expect(await raw.closeCode()).toBe(4002);
    const closedAtMs = performance.now();
    await raw.gone;
    expect(performance.now() - closedAtMs).toBeGreaterThan(2500);
  });
});

describe.each(runtimes)("a fault in onOpen or onClose of the app on $name", (runtime) => {
  const app = sharedApp(runtime);

  test.each(FAULTS)("is reported where onOpen %s, and the session goes on", async (fault) => {
    const id = `open-${fault}`;
    const one = await openJson(address(app(), id));
    await logged(app(), "failed", id);
    const two = await openJson(address(app(), `good-${fault}`));
    expect(await two.ask({ type: "send", to: id, data: "hi" })).toEqual({ outcome: "delivered" });
    expect(await one.next()).toMatchObject({ data: "hi", sequenceId: 1 });
    await expectToServe(app());
  });

  test.each(FAULTS)("is reported where onClose %s, and the id is free", async (fault) => {
    const id = `close-${fault}`;
    const one = await openJson(address(app(), `good-${fault}`));
    for (const leave of ["close", "drop"] as const) {
      const two = await openJson(address(app(), id));
      two[leave]();
      await logged(app(), "failed", id);
      await untilFree(one, id);
    }
    const two = await openJson(address(app(), id));
    expect(await one.ask({ type: "send", to: id, data: "again" })).toEqual({ outcome: "delivered" });
    expect(await two.next()).toMatchObject({ data: "again", sequenceId: 1 });
    await expectToServe(app());
  });

  test("ends no session when it happens in many at once", async () => {
    const names = ["open-throws", "close-throws", "open-rejects", "close-rejects", "close-rejects-later"];
    const clients = await Promise.all(names.map((name) => openJson(address(app(), name))));
    const one = await openJson(address(app(), "gina"));
    for (const name of names)
      expect(await one.ask({ type: "send", to: name, data: 1 })).toEqual({ outcome: "delivered" });
    for (const client of clients) client.drop();
    for (const name of names) await untilFree(one, name);
    await expectToServe(app());
  });
});
