import { once } from "node:events";
import { connect } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { type Client, openClient } from "./client.ts";
import { openJson } from "./json-client.ts";
import { handshake, openTcp } from "./raw.ts";
import { type Program, type Runtime, runtimes } from "./runtimes.ts";
import { sharedProgram } from "./subject.ts";
import { within } from "./wait.ts";

/** Servers with two relays, and who else listens for upgrades there: before the relays were attached, or after. */
const POLITE = ["polite first", "polite last"];
const RUDE = ["ws first", "ws last", "node-ws first", "node-ws last"];
const ALONE = ["nobody first"];

const hasNeighbours = (runtime: Runtime): runtime is Runtime & { neighbours: Program } =>
  runtime.neighbours !== undefined;

const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/**
 * Sends a request in pieces and, when it is answered, one more on the same connection. Not together: behind a request that asks for an upgrade
 * and is answered otherwise, Node 24 and Deno 2.9 lose what came with it in one piece, also where nobody listens for upgrades.
 *
 * @returns Both answers.
 */
async function converse(port: number, pieces: readonly string[]): Promise<Answered[]> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let heard = "";
  const answered = new Promise<void>((resolve) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      heard += text;
      if (readAnswers(heard).length > 0) resolve();
    });
  });
  for (const piece of pieces) {
    socket.write(piece);
    // The server reads it as a piece of its own.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await within(answered, "an answer");
  socket.write(LAST);
  await within(once(socket, "end"), "the server to end the connection");
  socket.destroy();
  return readAnswers(heard);
}

interface Answered {
  readonly status: number;
  readonly lengths: readonly number[];
  readonly body: string;
}

/** The answers that are there whole; each says how long it is. */
function readAnswers(heard: string): Answered[] {
  const answers: Answered[] = [];
  for (let rest = heard; ; ) {
    const head = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n/.exec(rest);
    if (head === null) return answers;
    const lengths = [...head[0].matchAll(/^content-length: (\d+)/gim)].map(([, length]) => Number(length));
    const end = head[0].length + (lengths[0] ?? 0);
    if (rest.length < end) return answers;
    const status = Number(head[1]);
    if (status !== 100) answers.push({ status, lengths, body: rest.slice(head[0].length, end) });
    rest = rest.slice(end);
  }
}

describe.each(runtimes.filter(hasNeighbours))("a server with two relays on $name", (runtime) => {
  const servers = sharedProgram(runtime.neighbours);
  let ports: Record<string, number> = {};

  beforeAll(async () => {
    ports = (await (await fetch(servers().url("/"))).json()) as typeof ports; // As apps/neighbours.ts has them.
  });

  const port = (name: string): number => ports[name] ?? 0;
  const open = (name: string, path: string, protocols: readonly string[] = []): Promise<Client> =>
    openClient(`ws://127.0.0.1:${port(name)}${path}`, protocols);

  async function expectBothRelays(name: string): Promise<void> {
    const one = await openJson(`ws://127.0.0.1:${port(name)}/relay/ws`);
    const two = await openJson(`ws://127.0.0.1:${port(name)}/second/deep/ws`);
    for (const [client, id] of [
      [one, "first"],
      [two, "second"],
    ] as const) {
      expect(client.id).toBe(id);
      client.send({ type: "send", to: id, data: "hello" });
      expect(await client.next()).toMatchObject({ from: id, data: "hello" });
    }
    await Promise.all([one.close(), two.close()]);
  }

  test.each([...POLITE, ...RUDE, ...ALONE, "nobody last"])("serves both, with others that listen: %s", async (name) => {
    await expectBothRelays(name);
  });

  test.each([...POLITE, ...RUDE])(
    "has the app's middleware run once for a handshake, with others that listen: %s",
    async (name) => {
      const asked = async (): Promise<number> =>
        Number(await (await fetch(`http://127.0.0.1:${port(name)}/asked`)).text());
      const before = await asked();
      const raw = await openTcp(port(name));
      raw.write(handshake({ path: "/relay/ws", headers: { "X-Counted": "yes" } }));
      expect((await raw.answer()).status).toBe(101);
      expect(await asked()).toBe(before + 1);
      raw.reset();
    },
  );

  test.each([...POLITE, ...RUDE, ...ALONE])(
    "refuses what it does not accept, with others that listen: %s",
    async (name) => {
      const raw = await openTcp(port(name));
      raw.write(handshake({ path: "/relay/ws", headers: { "Sec-WebSocket-Version": "8" } }));
      const answer = await raw.answer();
      expect(answer.status).toBe(426);
      expect(JSON.parse(await raw.body(answer))).toMatchObject({ error: { code: "bad_handshake" } });
      await raw.gone;
      await expectBothRelays(name);
    },
  );

  test.each(POLITE)("leaves Socket.IO its clients: %s", async (name) => {
    const client = await open(name, "/socket.io/?EIO=4&transport=websocket");
    expect(await client.next()).toMatch(/^0\{/);
    client.send("40");
    expect(await client.next()).toMatch(/^40\{/);
    for (const text of ["one", "two"]) {
      client.send(`42["say","${text}"]`);
      expect(await client.next()).toBe(`42["said","${text}"]`);
    }
    await client.close();
  });

  test.each([...POLITE, ...RUDE])("leaves others the handshakes for their path: %s", async (name) => {
    const client = await open(name, "/own");
    client.send("hello");
    expect(await client.next()).toBe("echo:hello");
    await client.close();
  });

  test.each(POLITE)("leaves Vite its pages: %s", async (name) => {
    const client = await open(name, "/?token=x", ["vite-hmr"]);
    client.send("hello");
    expect(await client.next()).toBe("echo:hello");
    await client.close();
  });

  test("leaves to Socket.IO what nobody else takes, which destroys it", async () => {
    const raw = await openTcp(port("polite last"));
    raw.write(handshake({ path: "/nowhere" }));
    await within(raw.gone, "Socket.IO to destroy the connection");
  });

  test.each([
    [
      "GET / with Upgrade: h2c",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
      200,
    ],
    ["GET / with Upgrade: websocket", handshake({ path: "/" }), 200],
    ["a handshake for a path that is not there", handshake({ path: "/nowhere" }), 404],
    ["a relay's health with a handshake", handshake({ path: "/relay/healthz" }), 200],
    ["a relay's route with Upgrade: h2c", handshake({ path: "/relay/ws", headers: { Upgrade: "h2c" } }), 426],
  ])("without others answers %s as an ordinary request, and keeps the connection", async (_name, request, status) => {
    for (const pieces of [[request], [request.slice(0, 40), request.slice(40)]]) {
      const [first, last] = await converse(port("nobody first"), pieces);
      expect(first).toMatchObject({ status, lengths: [expect.any(Number)] });
      expect(last).toMatchObject({ status: 200, body: "somebody's app" });
    }
  });

  test.each([
    ["Content-Length", "Content-Length: 10\r\n\r\n", "0123456789"],
    ["chunks", "Transfer-Encoding: chunked\r\n\r\n", "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"],
    ["Expect: 100-continue", "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", "0123456789"],
  ])("without others gives POST with Upgrade: h2c its body, by %s", async (_name, rest, body) => {
    const head = `POST /length HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n${rest}`;
    for (const pieces of [[head + body], [head, body], [head + body.slice(0, 7), body.slice(7)]]) {
      const [first, last] = await converse(port("nobody first"), pieces);
      expect(first).toMatchObject({ status: 200, lengths: [2], body: "10" });
      expect(last).toMatchObject({ status: 200, body: "somebody's app" });
    }
  });

  test.each([
    ["a handshake that is refused", handshake({ path: "/relay/ws", headers: { "Sec-WebSocket-Version": "8" } }), 426],
    ["a request for another upgrade", handshake({ path: "/asked", headers: { Upgrade: "h2c" } }), 200],
  ])("answers %s after the requests before it", async (_name, request, status) => {
    const raw = connect({ port: port("nobody first"), host: "127.0.0.1", noDelay: true });
    let heard = "";
    raw.setEncoding("latin1").on("data", (text: string) => {
      heard += text;
    });
    const slow = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    raw.write(slow + slow + request);
    while (readAnswers(heard).length < 3) await within(once(raw, "data"), "three answers");
    raw.destroy();
    const before = { status: 200, body: "later" };
    expect(readAnswers(heard)).toMatchObject([before, before, { status }]);
  });

  test("is told by an error where the relay was not attached, and the app's log has it once", async () => {
    for (let count = 0; count < 2; count++) {
      const raw = await openTcp(port("forgotten"));
      raw.write(handshake({ path: "/relay/ws" }));
      const answer = await raw.answer();
      expect(answer.status).toBe(500);
      const message = "Cannot upgrade: the relay is not attached to this server; call attach(server, app)";
      expect(JSON.parse(await raw.body(answer))).toEqual({ error: { code: "not_attached", message } });
    }
    expect(servers().process.stderr.match(/failed on upgrade:/g)).toHaveLength(1);
  });
});
