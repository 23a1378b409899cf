import { once } from "node:events";
import { connect } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { type Client, openClient } from "./client.ts";
import { openJson } from "./json-client.ts";
import { handshake, openTcp } from "./raw.ts";
import { type Program, type Runtime, runtimes } from "./runtimes.ts";
import { sharedProgram } from "./subject.ts";
import { within } from "./wait.ts";

/**
 * Servers of apps/neighbours.ts, named by their other listeners for upgrade requests. Those were added before the
 * relays ("first") or after them ("last"). Polite listeners ignore requests that they don't serve; rude ones refuse
 * them.
 */
const POLITE = ["polite first", "polite last"];
const RUDE = ["ws first", "ws last", "node-ws first", "node-ws last"];
const ALONE = ["none first"];

const hasNeighbours = (runtime: Runtime): runtime is Runtime & { neighbours: Program } =>
  runtime.neighbours !== undefined;

const LAST_REQUEST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/**
 * Sends a request in pieces and, after the answer, one more request on the same connection.
 *
 * The second request must not follow at once. Where an upgrade request is answered as an ordinary one, Node 24 and
 * Deno 2.9 lose the bytes that arrived with it, even on a server without upgrade listeners.
 *
 * @returns Both answers.
 */
async function requestTwice(port: number, pieces: readonly string[]): Promise<ParsedAnswer[]> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let received = "";
  const answered = new Promise<void>((resolve) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
      if (readAnswers(received).length > 0) resolve();
    });
  });
  for (const piece of pieces) {
    socket.write(piece);
    // A turn of the event loop between the writes, so that the server reads each piece separately.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await within(answered, "an answer");
  socket.write(LAST_REQUEST);
  await within(once(socket, "end"), "the server to end the connection");
  socket.destroy();
  return readAnswers(received);
}

interface ParsedAnswer {
  readonly status: number;
  readonly lengths: readonly number[];
  readonly body: string;
}

/** Parses the complete answers; each has a Content-Length. */
function readAnswers(received: string): ParsedAnswer[] {
  const answers: ParsedAnswer[] = [];
  for (let rest = received; ; ) {
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
    ports = (await (await fetch(servers().url("/"))).json()) as typeof ports; // The format of apps/neighbours.ts.
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

  test.each([...POLITE, ...RUDE, ...ALONE, "none last"])("serves both, beside other listeners: %s", async (name) => {
    await expectBothRelays(name);
  });

  test.each([...POLITE, ...RUDE])(
    "runs the app's middleware once for a handshake, beside other listeners: %s",
    async (name) => {
      const countHandshakes = async (): Promise<number> =>
        Number(await (await fetch(`http://127.0.0.1:${port(name)}/handshakes`)).text());
      const before = await countHandshakes();
      const raw = await openTcp(port(name));
      raw.write(handshake({ path: "/relay/ws", headers: { "X-Counted": "yes" } }));
      expect((await raw.answer()).status).toBe(101);
      expect(await countHandshakes()).toBe(before + 1);
      raw.reset();
    },
  );

  test.each([...POLITE, ...RUDE, ...ALONE])(
    "refuses an invalid handshake, beside other listeners: %s",
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

  test.each(POLITE)("leaves Socket.IO's clients to it: %s", async (name) => {
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

  test.each([...POLITE, ...RUDE])("leaves other listeners the handshakes for their path: %s", async (name) => {
    const client = await open(name, "/own");
    client.send("hello");
    expect(await client.next()).toBe("echo:hello");
    await client.close();
  });

  test.each(POLITE)("leaves Vite's pages to it: %s", async (name) => {
    const client = await open(name, "/?token=x", ["vite-hmr"]);
    client.send("hello");
    expect(await client.next()).toBe("echo:hello");
    await client.close();
  });

  test("leaves a handshake for an unknown path to Socket.IO, which destroys its connection", async () => {
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
    ["a handshake for an unknown path", handshake({ path: "/nowhere" }), 404],
    ["a relay's health with a handshake", handshake({ path: "/relay/healthz" }), 200],
    ["a relay's route with Upgrade: h2c", handshake({ path: "/relay/ws", headers: { Upgrade: "h2c" } }), 426],
  ])(
    "without other listeners answers %s as an ordinary request, and keeps the connection",
    async (_name, request, status) => {
      for (const pieces of [[request], [request.slice(0, 40), request.slice(40)]]) {
        const [first, last] = await requestTwice(port("none first"), pieces);
        expect(first).toMatchObject({ status, lengths: [expect.any(Number)] });
        expect(last).toMatchObject({ status: 200, body: "somebody's app" });
      }
    },
  );

  test.each([
    ["Content-Length", "Content-Length: 10\r\n\r\n", "0123456789"],
    ["chunks", "Transfer-Encoding: chunked\r\n\r\n", "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"],
    ["Expect: 100-continue", "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", "0123456789"],
  ])("without other listeners reads the body of a POST with Upgrade: h2c, by %s", async (_name, rest, body) => {
    const head = `POST /length HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n${rest}`;
    for (const pieces of [[head + body], [head, body], [head + body.slice(0, 7), body.slice(7)]]) {
      const [first, last] = await requestTwice(port("none first"), pieces);
      expect(first).toMatchObject({ status: 200, lengths: [2], body: "10" });
      expect(last).toMatchObject({ status: 200, body: "somebody's app" });
    }
  });

  test.each([
    ["a handshake that is refused", handshake({ path: "/relay/ws", headers: { "Sec-WebSocket-Version": "8" } }), 426],
    ["a request for another upgrade", handshake({ path: "/handshakes", headers: { Upgrade: "h2c" } }), 200],
  ])("answers %s after the requests before it", async (_name, request, status) => {
    const raw = connect({ port: port("none first"), host: "127.0.0.1", noDelay: true });
    let received = "";
    raw.setEncoding("latin1").on("data", (text: string) => {
      received += text;
    });
    const slow = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    raw.write(slow + slow + request);
    while (readAnswers(received).length < 3) await within(once(raw, "data"), "three answers");
    raw.destroy();
    const before = { status: 200, body: "later" };
    expect(readAnswers(received)).toMatchObject([before, before, { status }]);
  });

  test("answers 500 not_attached where the app did not call attach, and logs that once", async () => {
    for (let count = 0; count < 2; count++) {
      const raw = await openTcp(port("unattached"));
      raw.write(handshake({ path: "/relay/ws" }));
      const answer = await raw.answer();
      expect(answer.status).toBe(500);
      const message = "Cannot upgrade: the relay is not attached to this server; call attach(server, app)";
      expect(JSON.parse(await raw.body(answer))).toEqual({ error: { code: "not_attached", message } });
    }
    expect(servers().process.stderr.match(/failed on upgrade:/g)).toHaveLength(1);
  });
});
