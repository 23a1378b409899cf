import { type JWTPayload, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { JSON_PROTOCOL } from "./json-client.ts";
import { type HandshakeOptions, handshake, openTcp, type RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import { type Server, startServer } from "./server.ts";

const SECRET = "a secret that is long enough for HS256";

const SETTINGS = {
  RELAY_JWT_SECRET: SECRET,
  RELAY_ORIGINS: "https://example.org",
  RELAY_TRUSTED_PROXIES: "127.0.0.0/8",
  RELAY_MAX_CONNECTIONS: "2",
  RELAY_MAX_CONNECTIONS_PER_IP: "1",
  RELAY_CONNECT_RATE_PER_IP: "10",
};

function token(claims: JWTPayload = {}): Promise<string> {
  const { exp = Math.floor(Date.now() / 1000) + 60, sub = "alice" } = claims;
  return new SignJWT({ sub, exp }).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET));
}

let attempts = 0;

/** Sends a handshake over a raw connection, each time from another address unless the headers name one. */
async function tryConnect(server: Server, options: HandshakeOptions = {}) {
  const raw = await openTcp(server.port);
  const headers = { "X-Forwarded-For": `192.0.2.${++attempts % 250}`, ...options.headers };
  raw.write(handshake({ ...options, headers }));
  const answer = await raw.answer();
  return { raw, status: answer.status, protocol: answer.headers.get("sec-websocket-protocol") };
}

/** Connects with `?refusal=close`, as the client library does. @returns The close code, and the reason's code. */
async function refusal(server: Server, query: string, headers: HandshakeOptions["headers"] = {}, path = "/ws") {
  const offer = { "Sec-WebSocket-Protocol": JSON_PROTOCOL };
  const { raw, status, protocol } = await tryConnect(server, {
    path: `${path}?refusal=close${query}`,
    headers: { ...offer, ...headers },
  });
  expect([status, protocol]).toEqual([101, JSON_PROTOCOL]);
  const { code, reason } = await raw.closeFrame();
  raw.reset();
  return [code, reason.slice(0, reason.indexOf(":"))];
}

describe.each(runtimes)("a refusal by a close frame on $name", (runtime) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer(runtime, { env: SETTINGS });
  });
  afterAll(() => server.process.kill());

  test("has a code and a reason that a page in a browser can read", async () => {
    expect(await refusal(server, "")).toEqual([4501, "unauthorized"]);
    expect(await refusal(server, `&token=${await token({ exp: 1 })}`)).toEqual([4002, "unauthorized"]);
    expect(await refusal(server, `&token=${await token({ sub: "no id" })}`)).toEqual([4503, "forbidden"]);
    expect(await refusal(server, "", {}, "/echo")).toEqual([4501, "unauthorized"]);
    expect(await refusal(server, "", {}, "/nowhere")).toEqual([4504, "not_found"]);
    const Origin = "https://evil.example";
    expect(await refusal(server, `&token=${await token()}`, { Origin })).toEqual([4503, "forbidden_origin"]);
    expect(await refusal(server, "", { Origin }, "/nowhere")).toEqual([4503, "forbidden_origin"]);
  });

  test("is sent only to a client that asks for it in a valid handshake; others get an HTTP answer", async () => {
    expect((await tryConnect(server)).status).toBe(401);
    expect((await tryConnect(server, { path: "/ws?refusal=http" })).status).toBe(401);
    const path = "/ws?refusal=close";
    expect((await tryConnect(server, { path, headers: { "Sec-WebSocket-Key": "x" } })).status).toBe(400);
    expect((await tryConnect(server, { path, headers: { "Sec-WebSocket-Version": "8" } })).status).toBe(426);
    expect((await fetch(server.url(path))).status).toBe(426);
    expect((await fetch(server.url("/nowhere?refusal=close"))).status).toBe(404);
  });

  test("takes no place of a client, however many are open; where no place is left it says so", async () => {
    const refused = await Promise.all(
      Array.from({ length: 100 }, () => tryConnect(server, { path: "/ws?refusal=close" })),
    );
    // While 64 refusals are open, others get an HTTP answer: 401, or 503 while the relay is checking other tokens.
    expect(refused.filter(({ status }) => ![101, 401, 503].includes(status))).toEqual([]);
    const connected: RawClient[] = [];
    for (const address of ["198.51.100.1", "198.51.100.2"]) {
      const accepted = await tryConnect(server, {
        path: `/ws?refusal=close&token=${await token({ sub: address })}`,
        headers: { "X-Forwarded-For": address, "Sec-WebSocket-Protocol": "relay.v1.text" },
      });
      expect(await accepted.raw.next()).toBe(`:welcome ${address}`);
      connected.push(accepted.raw);
    }
    for (const { raw } of refused) raw.reset();
    const from = async (address: string) => refusal(server, `&token=${await token()}`, { "X-Forwarded-For": address });
    await expect.poll(() => from("198.51.100.1")).toEqual([1013, "too_many_connections"]);
    expect(await from("198.51.100.3")).toEqual([1013, "full"]);
    for (const raw of connected) raw.reset();
  });

  test("counts as an attempt to connect", async () => {
    const headers = { "X-Forwarded-For": "198.51.100.9" };
    const refusals = await Promise.all(Array.from({ length: 40 }, () => refusal(server, "", headers, "/nowhere")));
    expect(refusals).toContainEqual([4504, "not_found"]);
    expect(refusals).toContainEqual([1013, "too_many_attempts"]);
  });

  test("tells new clients that the relay is shutting down", async () => {
    const last = await tryConnect(server, { path: `/ws?token=${await token({ sub: "last" })}` });
    expect(last.status).toBe(101);
    server.process.signal("SIGTERM");
    expect(await last.raw.closeCode()).toBe(1001);
    expect(await refusal(server, `&token=${await token()}`)).toEqual([1001, "shutting_down"]);
    last.raw.reset();
    expect((await server.process.untilExit()).code).toBe(0);
  });
});
