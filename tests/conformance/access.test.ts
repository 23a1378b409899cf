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

/** Signs a token with the relay's secret. It is valid for a minute unless the claims have an `exp`. */
function token(claims: JWTPayload): Promise<string> {
  const { exp = Math.floor(Date.now() / 1000) + 60, ...others } = claims;
  return new SignJWT({ ...others, exp }).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET));
}

/** Sends a handshake over a raw connection, and reads the answer. */
async function tryConnect(server: Server, options: HandshakeOptions = {}) {
  const raw = await openTcp(server.port);
  raw.write(handshake(options));
  const answer = await raw.answer();
  const { error } = answer.status === 101 ? { error: undefined } : JSON.parse(await raw.body(answer));
  return { raw, status: answer.status, code: error?.code, headers: answer.headers };
}

/** Reads the id from the welcome of a client of relay.v1.json. */
async function readId(raw: RawClient): Promise<unknown> {
  return JSON.parse(String(await raw.next())).id;
}

describe.each(runtimes)("a relay with RELAY_JWT_SECRET on $name", (runtime) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer(runtime, { env: { RELAY_JWT_SECRET: SECRET, RELAY_JWT_AUDIENCE: "relay" } });
  });
  afterAll(() => server.process.kill());

  const validToken = (claims: JWTPayload = {}) => token({ sub: "alice", aud: "relay", ...claims });

  test("refuses a client that has no valid token with 401 and a sentence", async () => {
    const expired = await validToken({ exp: 1 });
    const wrong = await token({ sub: "alice", aud: "others" });
    for (const Authorization of [undefined, "Bearer x", BEARER + expired, BEARER + wrong]) {
      const { status, code, headers } = await tryConnect(server, { headers: { Authorization } });
      expect([status, code]).toEqual([401, "unauthorized"]);
      expect(headers.get("www-authenticate")).toBe("Bearer");
    }
    expect(await tryConnect(server, { path: "/echo" })).toMatchObject({ status: 401 });
  });

  test("takes a client's id from a token in a header, in a subprotocol that is not echoed, or in ?token=", async () => {
    const ways = [
      { headers: { Authorization: BEARER + (await validToken()), "Sec-WebSocket-Protocol": JSON_PROTOCOL } },
      { headers: { "Sec-WebSocket-Protocol": `bearer.${await validToken()}, ${JSON_PROTOCOL}` } },
      { path: `/ws?token=${await validToken()}`, headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL } },
    ];
    for (const way of ways) {
      const { raw, status, headers } = await tryConnect(server, way);
      expect([status, headers.get("sec-websocket-protocol")]).toEqual([101, JSON_PROTOCOL]);
      expect(await readId(raw)).toBe("alice");
      raw.reset();
    }
  });

  test("refuses a token whose sub is not a valid id with 403", async () => {
    const Authorization = BEARER + (await validToken({ sub: "no id" }));
    expect(await tryConnect(server, { headers: { Authorization } })).toMatchObject({ status: 403 });
  });

  test("limits a client to the recipients and the rooms of its token", async () => {
    const Authorization = BEARER + (await validToken({ sub: "bounded", to: ["bounded"], rooms: ["team-*"] }));
    const { raw } = await tryConnect(server, { headers: { Authorization, "Sec-WebSocket-Protocol": "relay.v1.text" } });
    await expect(raw.next()).resolves.toBe(":welcome bounded");
    for (const line of ["bounded:me", "alice:you", ":join team-7", ":join lobby", "#team-7:hello"]) raw.text(line);
    raw.text(":ping");
    const lines = ["bounded:me", ":error forbidden alice", ":joined bounded team-7", ":error forbidden lobby", ":pong"];
    for (const line of lines) await expect(raw.next()).resolves.toBe(line);
  });

  /** Connects with a token that has these claims, and more query parameters. */
  const connectAs = async (claims: JWTPayload, query = "") =>
    openJson(`ws://127.0.0.1:${server.port}/ws?token=${await validToken(claims)}${query}`);

  test("hands the mailbox of a session, away or connected, over to the next client that proves its id", async () => {
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
    await expect(tab.untilClosed()).resolves.toMatchObject({ code: 4500 });
    expect(next.welcome).toMatchObject({ resumed: false, recovered: true });
    expect(await nextMessages(next, 2)).toEqual(messages);
    await next.acknowledge(2);
    const last = await connectAs({ sub: "mail" });
    await expect(last).toStaySilent();
  });

  test("closes a connection attempt that arrives late with 4500, and keeps the live session", async () => {
    const first = await connectAs({ sub: "late" });
    first.drop();
    const live = await connectAs({ sub: "late" }, `&resume=${first.token}&attempt=2`);
    expect(live.welcome).toMatchObject({ resumed: true });
    await live.acknowledge(0);
    const query = `token=${await validToken({ sub: "late" })}&resume=${first.token}&attempt=1`;
    const late = await server.open(`/ws?${query}`, [JSON_PROTOCOL]);
    await expect(late.untilClosed()).resolves.toMatchObject({ code: 4500 });
    expect(await live.receivedNothing()).toBe(true);
  });

  test("removes a resumed session from rooms that its new token does not grant, and tells the members", async () => {
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

  test("closes a connection with 4002 when its token expires", async () => {
    const exp = Math.floor(Date.now() / 1000) - 1;
    const Authorization = BEARER + (await validToken({ sub: "brief", exp }));
    const { raw, status } = await tryConnect(server, { headers: { Authorization } });
    expect(status).toBe(101);
    const reason = "The token has expired: connect with a new one";
    expect(await raw.closeFrame()).toEqual({ code: 4002, reason });
  });
});

describe.each(runtimes)("a relay with RELAY_JWKS_URL on $name", (runtime) => {
  test("accepts only clients whose token was signed with one of the keys", async () => {
    const [ours, theirs] = [await generateKeyPair("ES256"), await generateKeyPair("ES256")];
    const keys = [{ ...(await exportJWK(ours.publicKey)), kid: "1", alg: "ES256" }];
    const issuer = createServer((_request, response) => response.end(JSON.stringify({ keys })));
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = issuer.address() as AddressInfo; // True of a server that listens on TCP.
      const server = await ownServer(runtime, { env: { RELAY_JWKS_URL: `http://127.0.0.1:${port}/keys` } });
      const sign = (key: CryptoKey) =>
        new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256", kid: "1" }).setExpirationTime("1m").sign(key);
      const attempts = [ours, theirs].map(async ({ privateKey }) => {
        const Authorization = BEARER + (await sign(privateKey));
        return (await tryConnect(server, { headers: { Authorization } })).status;
      });
      expect(await Promise.all(attempts)).toEqual([101, 401]);
    } finally {
      issuer.close();
    }
  });
});

describe.each(runtimes)("a relay whose RELAY_JWKS_URL never stops sending, on $name", (runtime) => {
  test("reads no more than the largest key set that it accepts, and answers 503 unavailable", async () => {
    const piece = Buffer.alloc(65_536, " ");
    let sentBytes = 0;
    const issuer = createServer((_request, response) => {
      const writeUntilFull = (): void => {
        while (!response.destroyed && response.write(piece)) sentBytes += piece.length;
        response.once("drain", writeUntilFull);
      };
      writeUntilFull();
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = issuer.address() as AddressInfo; // True of a server that listens on TCP.
      const server = await ownServer(runtime, { env: { RELAY_JWKS_URL: `http://127.0.0.1:${port}/keys` } });
      const { privateKey } = await generateKeyPair("ES256");
      const signed = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
      const answer = await tryConnect(server, { headers: { Authorization: BEARER + signed } });
      expect(answer).toMatchObject({ status: 503, code: "unavailable" });
      // The relay reads 1 MiB. The rest is what the sockets and the runtime buffer.
      expect(sentBytes).toBeLessThan(32 * 1_048_576);
    } finally {
      issuer.closeAllConnections();
      issuer.close();
    }
  });
});

describe.each(runtimes)("a relay whose RELAY_JWKS_URL cannot be reached, on $name", (runtime) => {
  test("answers 503 unavailable, since it cannot check the token", async () => {
    // No machine that runs these tests listens on port 9 (discard).
    const server = await ownServer(runtime, { env: { RELAY_JWKS_URL: "http://127.0.0.1:9/keys" } });
    const { privateKey } = await generateKeyPair("ES256");
    const signed = await new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
    const answer = await tryConnect(server, { headers: { Authorization: BEARER + signed } });
    expect(answer).toMatchObject({ status: 503, code: "unavailable" });
  });
});

describe.each(runtimes)("a relay with RELAY_ORIGINS on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_ORIGINS: "https://example.org,https://*.example.org" } });

  test("refuses pages of other origins with 403, and accepts programs, which send no Origin", async () => {
    for (const path of ["/ws", "/echo"]) {
      const from = async (Origin: string | undefined) =>
        (await tryConnect(server(), { path, headers: { Origin } })).status;
      expect(await from("https://example.org.evil.example")).toBe(403);
      expect(await from("null")).toBe(403);
      expect(await from("https://example.org")).toBe(101);
      expect(await from("https://chat.example.org")).toBe(101);
      expect(await from(undefined)).toBe(101);
    }
    expect(await tryConnect(server(), { headers: { Origin: "https://evil.example" } })).toMatchObject({
      code: "forbidden_origin",
    });
  });
});

describe.each(runtimes)("the limits for one address on $name", (runtime) => {
  test("bound the open connections of the address that a trusted proxy names; one that ends makes room", async () => {
    const server = await ownServer(runtime, {
      env: { RELAY_MAX_CONNECTIONS_PER_IP: "2", RELAY_TRUSTED_PROXIES: "127.0.0.0/8" },
    });
    const from = (address: string) =>
      tryConnect(server, { headers: { "X-Forwarded-For": `198.51.100.1, ${address}` } });
    const [one, two, three] = [await from("192.0.2.1"), await from("192.0.2.1"), await from("192.0.2.1")];
    expect([one.status, two.status, three.status, three.code]).toEqual([101, 101, 429, "too_many_connections"]);
    expect(three.headers.get("retry-after")).toBe("1");
    expect((await from("192.0.2.2")).status).toBe(101);
    one.raw.sendClose();
    await one.raw.closeCode();
    one.raw.reset();
    await server.untilLeft("1");
    await expect.poll(async () => (await from("192.0.2.1")).status).toBe(101);
  });

  test("bound the open connections of the socket's address where no proxy is trusted", async () => {
    const server = await ownServer(runtime, { env: { RELAY_MAX_CONNECTIONS_PER_IP: "1" } });
    expect((await tryConnect(server)).status).toBe(101);
    expect((await tryConnect(server, { headers: { "X-Forwarded-For": "192.0.2.1" } })).status).toBe(429);
  });

  test("bound the new connections a second, of one address and of all together", async () => {
    const perIp = await ownServer(runtime, { env: { RELAY_CONNECT_RATE_PER_IP: "1" } });
    const elsewhere = await Promise.all([1, 2, 3, 4, 5, 6].map(() => tryConnect(perIp, { path: "/nowhere" })));
    expect(elsewhere.every(({ status }) => status === 404)).toBe(true);
    const attempts = await Promise.all([1, 2, 3, 4, 5, 6].map(() => tryConnect(perIp)));
    expect(attempts.map(({ code }) => code)).toContain("too_many_attempts");
    const all = await ownServer(runtime, { env: { RELAY_CONNECT_RATE: "1" } });
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => tryConnect(all)));
    expect(others.find(({ status }) => status === 503)?.code).toBe("busy");
  });
});

describe.each(runtimes)("the rate limit of a connection on $name", (runtime) => {
  const server = sharedServer(runtime, {
    env: { RELAY_RATE: "50", RELAY_RATE_BURST: "50", RELAY_RATE_BYTES: "100000" },
  });

  test("refuses each frame over it as rate_limited, in every protocol, and affects no other client", async () => {
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

  test("counts bytes as well as frames", async () => {
    const { raw } = await server().connectRaw();
    for (let times = 0; times < 30; times++) raw.text(`1:${"x".repeat(60_000)}`);
    await expect(raw.next()).resolves.toMatch(/^:error rate_limited /);
  });

  test.each(["frames", "pings"])("closes a client that keeps sending too many %s with 1008", async (kind) => {
    if (kind === "pings" && runtime.exceptions.ignoresClientPings !== undefined) {
      // The relay can't count pings that the runtime doesn't report.
      return;
    }
    const { raw, welcome } = await connectRawJson(server());
    const frame = kind === "frames" ? { opcode: 1, payload: "x" } : { opcode: 9 };
    for (let times = 0; times < 100; times++) raw.send(...Array.from({ length: 20 }, () => frame));
    // The close frame may be lost: TCP answers frames that arrive after it with a reset.
    expect([1008, 1006]).toContain(await raw.closeCode());
    // For pings the log has no code: `ws` drops a client that sends more pings at once than `ws` answers.
    const reason = "The client kept sending more than it may";
    if (kind === "frames")
      expect(await server().untilLeft(welcome.id)).toMatchObject({ by: "relay", code: 1008, reason });
    await server().relayOne();
  });
});

describe.each(runtimes)("the rate limit of a session on $name", (runtime) => {
  test("is kept across a resume", async () => {
    const server = await ownServer(runtime, { env: { RELAY_RATE: "5", RELAY_RATE_BURST: "10" } });
    let client = await connectJson(server);
    const startedAt = performance.now();
    let delivered = 0;
    // Stays below the count of refusals that closes a client.
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

  test("counts text in bytes of UTF-8 on every runtime", async () => {
    const env = { RELAY_RATE_BYTES: "1", RELAY_MAX_MESSAGE_BYTES: "1000" };
    const server = await ownServer(runtime, { env });
    const client = await server.open("/ws?from=1");
    for (let times = 0; times < 2; times++) client.send(`1:${"您".repeat(200)}`);
    await expect(client.next()).resolves.toBe(`1:${"您".repeat(200)}`);
    await expect(client.next()).resolves.toMatch(/^:error rate_limited /);
  });
});

describe.each(runtimes)("a relay with RELAY_IDS=random on $name", (runtime) => {
  test("gives ids that cannot be guessed", async () => {
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

describe.each(runtimes)("the log of a relay that listens beyond this machine, on $name", (runtime) => {
  test("warns once about missing access settings, and not about those that are set", async () => {
    const unprotected = await ownServer(runtime, { env: { HOST: "0.0.0.0" } });
    const warning = await unprotected.process.log.find(({ level }) => level === "WARN", "the warning");
    for (const name of ["RELAY_JWT_SECRET", "RELAY_ORIGINS", "RELAY_RATE"]) expect(warning.message).toContain(name);
    const protectedRelay = await ownServer(runtime, {
      env: { HOST: "0.0.0.0", RELAY_JWT_SECRET: SECRET, RELAY_ORIGINS: "https://example.org", RELAY_RATE: "100" },
    });
    expect(protectedRelay.process.stderr).not.toContain('"WARN"');
  });
});
