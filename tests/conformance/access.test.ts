import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectJson, connectRawJson, JSON_PROTOCOL, nextMessages, openJson } from "./json-client.ts";
import { type HandshakeOptions, handshake, openTcp, type RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import { type Server, startServer } from "./server.ts";
import { ownServer, sharedServer } from "./subject.ts";

const SECRET = "a secret that is long enough for HS256";
const BEARER = "Bearer ";

/** A token that the relay's secret signs, good for a minute unless the claims say otherwise. */
function token(claims: JWTPayload): Promise<string> {
  const { exp = Math.floor(Date.now() / 1000) + 60, ...others } = claims;
  return new SignJWT({ ...others, exp }).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET));
}

/** Asks for a connection by hand. */
async function ask(server: Server, options: HandshakeOptions = {}) {
  const raw = await openTcp(server.port);
  raw.write(handshake(options));
  const answer = await raw.answer();
  const { error } = answer.status === 101 ? { error: undefined } : JSON.parse(await raw.body(answer));
  return { raw, status: answer.status, code: error?.code, headers: answer.headers };
}

/** The id that a client of relay.v1.json is welcomed with. */
async function welcomedAs(raw: RawClient): Promise<unknown> {
  return JSON.parse(String(await raw.next())).id;
}

describe.each(runtimes)("with RELAY_JWT_SECRET on $name", (runtime) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer(runtime, { env: { RELAY_JWT_SECRET: SECRET, RELAY_JWT_AUDIENCE: "relay" } });
  });
  afterAll(() => server.process.kill());

  const good = (claims: JWTPayload = {}) => token({ sub: "alice", aud: "relay", ...claims });

  test("who has no token, or one that is not good, is refused with 401 and a sentence", async () => {
    const expired = await good({ exp: 1 });
    const wrong = await token({ sub: "alice", aud: "others" });
    for (const Authorization of [undefined, "Bearer x", BEARER + expired, BEARER + wrong]) {
      const { status, code, headers } = await ask(server, { headers: { Authorization } });
      expect([status, code]).toEqual([401, "unauthorized"]);
      expect(headers.get("www-authenticate")).toBe("Bearer");
    }
    expect(await ask(server, { path: "/echo" })).toMatchObject({ status: 401 });
  });

  test("a token names its bearer: by header, by a subprotocol that is not echoed, by ?token=", async () => {
    const ways = [
      { headers: { Authorization: BEARER + (await good()), "Sec-WebSocket-Protocol": JSON_PROTOCOL } },
      { headers: { "Sec-WebSocket-Protocol": `bearer.${await good()}, ${JSON_PROTOCOL}` } },
      { path: `/ws?token=${await good()}`, headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL } },
    ];
    for (const way of ways) {
      const { raw, status, headers } = await ask(server, way);
      expect([status, headers.get("sec-websocket-protocol")]).toEqual([101, JSON_PROTOCOL]);
      expect(await welcomedAs(raw)).toBe("alice");
      raw.reset();
    }
  });

  test("a sub that can be no id is refused with 403", async () => {
    const Authorization = BEARER + (await good({ sub: "no id" }));
    expect(await ask(server, { headers: { Authorization } })).toMatchObject({ status: 403 });
  });

  test("a token bounds whom its bearer sends to, and where it publishes", async () => {
    const Authorization = BEARER + (await good({ sub: "bounded", to: ["bounded"], rooms: ["team-*"] }));
    const { raw } = await ask(server, { headers: { Authorization, "Sec-WebSocket-Protocol": "relay.v1.text" } });
    await expect(raw.next()).resolves.toBe(":welcome bounded");
    for (const line of ["bounded:me", "alice:you", ":join team-7", ":join lobby", "#team-7:hello"]) raw.text(line);
    raw.text(":ping");
    const lines = ["bounded:me", ":error forbidden alice", ":joined bounded team-7", ":error forbidden lobby", ":pong"];
    for (const line of lines) await expect(raw.next()).resolves.toBe(line);
  });

  /** Connects as the token's `sub`, with more of a query. */
  const connectAs = async (claims: JWTPayload, query = "") =>
    openJson(`ws://127.0.0.1:${server.port}/ws?token=${await good(claims)}${query}`);

  test("whoever proves an id has the mail of the session that had it, away or still open", async () => {
    const sender = await connectAs({ sub: "sender-of-mail" });
    const first = await connectAs({ sub: "mail" });
    await sender.ask({ type: "watch", id: "mail" });
    expect(await sender.next()).toMatchObject({ event: "online" });
    expect(await sender.ask({ type: "send", to: "mail", data: "not acknowledged" })).toEqual({ outcome: "delivered" });
    first.drop();
    expect(await sender.next()).toMatchObject({ event: "offline" });
    expect(await sender.ask({ type: "send", to: "mail", data: "queued" })).toEqual({ outcome: "queued" });
    const messages = [
      [1, "not acknowledged"],
      [2, "queued"],
    ];
    const tab = await connectAs({ sub: "mail" });
    expect(tab.welcome).toMatchObject({ id: "mail", resumed: false, recovered: true });
    expect(await nextMessages(tab, 2)).toEqual(messages);
    const next = await connectAs({ sub: "mail" });
    await expect(tab.end()).resolves.toMatchObject({ code: 4500 });
    expect(next.welcome).toMatchObject({ resumed: false, recovered: true });
    expect(await nextMessages(next, 2)).toEqual(messages);
    await next.acknowledge(2);
    const last = await connectAs({ sub: "mail" });
    await expect(last).toStaySilent();
  });

  test("an attempt that was held up is closed with 4500, and does not end the live session", async () => {
    const first = await connectAs({ sub: "late" });
    first.drop();
    const live = await connectAs({ sub: "late" }, `&resume=${first.token}&attempt=2`);
    expect(live.welcome).toMatchObject({ resumed: true });
    await live.acknowledge(0);
    const query = `token=${await good({ sub: "late" })}&resume=${first.token}&attempt=1`;
    const late = await server.open(`/ws?${query}`, [JSON_PROTOCOL]);
    await expect(late.end()).resolves.toMatchObject({ code: 4500 });
    expect(await live.nextIsOwn()).toBe(true);
  });

  test("a token that grants fewer rooms takes a resumed session out of the others: all are told", async () => {
    const [client, other] = [await connectAs({ sub: "narrowed" }), await connectAs({ sub: "other" })];
    for (const one of [client, other]) await one.ask({ type: "join", room: "narrow" });
    expect(await client.next()).toMatchObject({ id: "other", event: "joined" });
    const resume = `&resume=${client.token}`;
    const back = await connectAs({ sub: "narrowed", rooms: ["wide"] }, resume);
    const left = { type: "presence", id: "narrowed", room: "narrow", event: "left" };
    expect(back.welcome).toMatchObject({ resumed: true });
    expect([await back.next(), await other.next()]).toEqual([left, left]);
    expect(await other.ask({ type: "publish", room: "narrow", data: 1 })).toMatchObject({ recipients: 0 });
    expect(await back.ask({ type: "join", room: "narrow" })).toMatchObject({ error: { code: "forbidden" } });
  });

  test("a token that expires closes its connection with 4002", async () => {
    const exp = Math.floor(Date.now() / 1000) - 1;
    const Authorization = BEARER + (await good({ sub: "brief", exp }));
    const { raw, status } = await ask(server, { headers: { Authorization } });
    expect(status).toBe(101);
    const reason = "The token has expired: connect with a new one";
    expect(await raw.closed()).toEqual({ code: 4002, reason });
  });
});

describe.each(runtimes)("with RELAY_JWKS_URL on $name", (runtime) => {
  test("who has a token that one of its keys has signed may connect, and nobody else", async () => {
    const [ours, theirs] = [await generateKeyPair("ES256"), await generateKeyPair("ES256")];
    const keys = [{ ...(await exportJWK(ours.publicKey)), kid: "1", alg: "ES256" }];
    const issuer = createServer((_request, response) => response.end(JSON.stringify({ keys })));
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    try {
      // A server that listens on TCP has such an address.
      const { port } = issuer.address() as AddressInfo;
      const server = await ownServer(runtime, { env: { RELAY_JWKS_URL: `http://127.0.0.1:${port}/keys` } });
      const sign = (key: CryptoKey) =>
        new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256", kid: "1" }).setExpirationTime("1m").sign(key);
      const asks = [ours, theirs].map(async ({ privateKey }) => {
        const Authorization = BEARER + (await sign(privateKey));
        return (await ask(server, { headers: { Authorization } })).status;
      });
      expect(await Promise.all(asks)).toEqual([101, 401]);
    } finally {
      issuer.close();
    }
  });
});

describe.each(runtimes)("with a RELAY_JWKS_URL whose answer never ends on $name", (runtime) => {
  test("the relay reads no more of it than a key set may have, and answers 503 unavailable", async () => {
    const piece = Buffer.alloc(65_536, " ");
    let sentBytes = 0;
    const issuer = createServer((_request, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write(piece)) sentBytes += piece.length;
        response.once("drain", pour);
      };
      pour();
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = issuer.address() as AddressInfo; // It listens on TCP.
      const server = await ownServer(runtime, { env: { RELAY_JWKS_URL: `http://127.0.0.1:${port}/keys` } });
      const { privateKey } = await generateKeyPair("ES256");
      const signed = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
      const answer = await ask(server, { headers: { Authorization: BEARER + signed } });
      expect(answer).toMatchObject({ status: 503, code: "unavailable" });
      // What the sockets and the runtimes take ahead is on top of the mebibyte.
      expect(sentBytes).toBeLessThan(32 * 1_048_576);
    } finally {
      issuer.closeAllConnections();
      issuer.close();
    }
  });
});

describe.each(runtimes)("with a RELAY_JWKS_URL where nobody answers on $name", (runtime) => {
  test("nobody can say whether a token is good: 503 unavailable, and try again", async () => {
    // Port 9 (discard) is closed on any machine that tests run on.
    const server = await ownServer(runtime, { env: { RELAY_JWKS_URL: "http://127.0.0.1:9/keys" } });
    const { privateKey } = await generateKeyPair("ES256");
    const signed = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
    const answer = await ask(server, { headers: { Authorization: BEARER + signed } });
    expect(answer).toMatchObject({ status: 503, code: "unavailable" });
  });
});

describe.each(runtimes)("with RELAY_ORIGINS on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_ORIGINS: "https://example.org,https://*.example.org" } });

  test("pages of other origins are refused with 403; who sends no Origin is no page", async () => {
    for (const path of ["/ws", "/echo"]) {
      const from = async (Origin: string | undefined) => (await ask(server(), { path, headers: { Origin } })).status;
      expect(await from("https://example.org.evil.example")).toBe(403);
      expect(await from("null")).toBe(403);
      expect(await from("https://example.org")).toBe(101);
      expect(await from("https://chat.example.org")).toBe(101);
      expect(await from(undefined)).toBe(101);
    }
    expect(await ask(server(), { headers: { Origin: "https://evil.example" } })).toMatchObject({
      code: "forbidden_origin",
    });
  });
});

describe.each(runtimes)("the limits of an address on $name", (runtime) => {
  test("connections at the same time, told apart by what a trusted proxy says; one that goes makes room", async () => {
    const server = await ownServer(runtime, {
      env: { RELAY_MAX_CONNECTIONS_PER_IP: "2", RELAY_TRUSTED_PROXIES: "127.0.0.0/8" },
    });
    const from = (address: string) => ask(server, { headers: { "X-Forwarded-For": `198.51.100.1, ${address}` } });
    const [one, two, three] = [await from("192.0.2.1"), await from("192.0.2.1"), await from("192.0.2.1")];
    expect([one.status, two.status, three.status, three.code]).toEqual([101, 101, 429, "too_many_connections"]);
    expect(three.headers.get("retry-after")).toBe("1");
    expect((await from("192.0.2.2")).status).toBe(101);
    one.raw.sendClose();
    await one.raw.closeCode();
    one.raw.reset();
    await server.left("1");
    await expect.poll(async () => (await from("192.0.2.1")).status).toBe(101);
  });

  test("connections at the same time, by the socket itself where no proxy is trusted", async () => {
    const server = await ownServer(runtime, { env: { RELAY_MAX_CONNECTIONS_PER_IP: "1" } });
    expect((await ask(server)).status).toBe(101);
    expect((await ask(server, { headers: { "X-Forwarded-For": "192.0.2.1" } })).status).toBe(429);
  });

  test("new connections a second, of one address and of all", async () => {
    const perIp = await ownServer(runtime, { env: { RELAY_CONNECT_RATE_PER_IP: "1" } });
    const asked = await Promise.all([1, 2, 3, 4, 5, 6].map(() => ask(perIp, { path: "/nowhere" })));
    expect(asked.every(({ status }) => status === 404)).toBe(true);
    const tried = await Promise.all([1, 2, 3, 4, 5, 6].map(() => ask(perIp)));
    expect(tried.map(({ code }) => code)).toContain("too_many_attempts");
    const all = await ownServer(runtime, { env: { RELAY_CONNECT_RATE: "1" } });
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => ask(all)));
    expect(others.find(({ status }) => status === 503)?.code).toBe("busy");
  });
});

describe.each(runtimes)("the rate of a connection on $name", (runtime) => {
  const server = sharedServer(runtime, {
    env: { RELAY_RATE: "50", RELAY_RATE_BURST: "50", RELAY_RATE_BYTES: "100000" },
  });

  test("over it a sender is told rate_limited for each frame, in every protocol, and nobody else is", async () => {
    const json = await connectJson(server());
    const other = await server().connect();
    for (let ackId = 1000; ackId < 1060; ackId++) json.send({ type: "send", to: other.id, data: "x", ackId });
    const codes = new Set<unknown>();
    for (let acks = 0; acks < 60; acks++) {
      const { outcome, error } = (await json.next()) as unknown as { outcome: string; error?: { code: string } };
      codes.add(error?.code ?? outcome);
    }
    expect([...codes]).toEqual(["delivered", "rate_limited"]);
    const plain = await server().connect();
    for (let times = 0; times < 60; times++) plain.send(`${plain.id}:x`);
    let refused = 0;
    for (let times = 0; times < 60; times++)
      if (String(await plain.next()).startsWith(":error rate_limited ")) refused++;
    expect(refused).toBeGreaterThan(0);
    await server().relayOne();
  });

  test("bytes count as well as frames", async () => {
    const { raw } = await server().connectRaw();
    for (let times = 0; times < 30; times++) raw.text(`1:${"x".repeat(60_000)}`);
    await expect(raw.next()).resolves.toMatch(/^:error rate_limited /);
  });

  test.each(["frames", "pings"])("who does not stop sending %s is closed with 1008", async (kind) => {
    if (kind === "pings" && runtime.exceptions.pingIsSilence !== undefined) {
      // What the runtime does not tell of it cannot be counted; the pings of others have their own test.
      return;
    }
    const { raw, welcome } = await connectRawJson(server());
    const frame = kind === "frames" ? { opcode: 1, payload: "x" } : { opcode: 9 };
    for (let times = 0; times < 100; times++) raw.send(...Array.from({ length: 20 }, () => frame));
    // The close frame may be lost in the reset with which TCP answers what comes after it.
    expect([1008, 1006]).toContain(await raw.closeCode());
    // The ws of Node and Deno itself drops who has sent more pings in one piece than it answers, and reports no code.
    const reason = "The client kept sending more than it may";
    if (kind === "frames") expect(await server().left(welcome.id)).toMatchObject({ by: "relay", code: 1008, reason });
    await server().relayOne();
  });
});

describe.each(runtimes)("the rate of a session on $name", (runtime) => {
  test("is not dodged by resuming", async () => {
    const server = await ownServer(runtime, { env: { RELAY_RATE: "5", RELAY_RATE_BURST: "10" } });
    let client = await connectJson(server);
    const startedAt = performance.now();
    let delivered = 0;
    // Fewer refusals than those after which a client is closed.
    for (let times = 0; times < 4; times++) {
      for (let count = 0; count < 10; count++) {
        client.send({ type: "send", to: client.id, data: "x", ackId: times * 10 + count });
      }
      for (let acks = 0; acks < 10; ) {
        const { type, outcome } = await client.next();
        if (type !== "ack") continue;
        acks++;
        if (outcome === "delivered") delivered++;
      }
      client = await connectJson(server, { resume: client.token });
    }
    const seconds = (performance.now() - startedAt) / 1000;
    expect(delivered).toBeGreaterThanOrEqual(10);
    expect(delivered).toBeLessThanOrEqual(10 + Math.ceil(5 * seconds));
  });

  test("counts bytes of UTF-8, whatever the runtime hands over", async () => {
    const env = { RELAY_RATE_BYTES: "1", RELAY_MAX_MESSAGE_BYTES: "1000" };
    const server = await ownServer(runtime, { env });
    const client = await server.open("/ws?from=1");
    for (let times = 0; times < 2; times++) client.send(`1:${"您".repeat(200)}`);
    await expect(client.next()).resolves.toBe(`1:${"您".repeat(200)}`);
    await expect(client.next()).resolves.toMatch(/^:error rate_limited /);
  });
});

describe.each(runtimes)("with RELAY_IDS=random on $name", (runtime) => {
  test("nobody can guess an id", async () => {
    const server = await ownServer(runtime, { env: { RELAY_IDS: "random" } });
    const ids = new Set<string>();
    for (let times = 0; times < 5; times++) {
      const raw = await server.openRaw({ headers: { "Sec-WebSocket-Protocol": "relay.v1.text" } });
      const [, id = ""] = /^:welcome ([A-Za-z0-9_-]{22})$/.exec(String(await raw.next())) ?? [];
      ids.add(id);
    }
    expect(ids.size).toBe(5);
    expect(ids.has("")).toBe(false);
  });
});

describe.each(runtimes)("the start on $name", (runtime) => {
  test("warns of what is open to everybody beyond this machine, once, and of nothing that is not", async () => {
    const open = await ownServer(runtime, { env: { HOST: "0.0.0.0" } });
    const warning = await open.process.log.find(({ level }) => level === "WARN", "the warning");
    for (const name of ["RELAY_JWT_SECRET", "RELAY_ORIGINS", "RELAY_RATE"]) expect(warning.message).toContain(name);
    const closed = await ownServer(runtime, {
      env: { HOST: "0.0.0.0", RELAY_JWT_SECRET: SECRET, RELAY_ORIGINS: "https://example.org", RELAY_RATE: "100" },
    });
    expect(closed.process.stderr).not.toContain('"WARN"');
  });
});
