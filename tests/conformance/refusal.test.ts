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

let asked = 0;

/** Asks for a connection by hand, each time from another address unless the headers say from which. */
async function ask(server: Server, options: HandshakeOptions = {}) {
  const raw = await openTcp(server.port);
  const headers = { "X-Forwarded-For": `192.0.2.${++asked % 250}`, ...options.headers };
  raw.write(handshake({ ...options, headers }));
  const { status, headers: answered } = await raw.answer();
  return { raw, status, protocol: answered.get("sec-websocket-protocol") };
}

/** Asks to be refused by a close frame, as a browser would for the client library. @returns That frame's code and reason. */
async function refusal(server: Server, query: string, headers: HandshakeOptions["headers"] = {}, path = "/ws") {
  const offer = { "Sec-WebSocket-Protocol": JSON_PROTOCOL };
  const { raw, status, protocol } = await ask(server, {
    path: `${path}?refusal=close${query}`,
    headers: { ...offer, ...headers },
  });
  expect([status, protocol]).toEqual([101, JSON_PROTOCOL]);
  const { code, reason } = await raw.closed();
  raw.reset();
  return [code, reason.slice(0, reason.indexOf(":"))];
}

describe.each(runtimes)("a refusal by a close frame on $name", (runtime) => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer(runtime, { env: SETTINGS });
  });
  afterAll(() => server.process.kill());

  test("says why, with a code and a reason that a browser's page can read", async () => {
    expect(await refusal(server, "")).toEqual([4501, "unauthorized"]);
    expect(await refusal(server, `&token=${await token({ exp: 1 })}`)).toEqual([4002, "unauthorized"]);
    expect(await refusal(server, `&token=${await token({ sub: "no id" })}`)).toEqual([4503, "forbidden"]);
    expect(await refusal(server, "", {}, "/echo")).toEqual([4501, "unauthorized"]);
    expect(await refusal(server, "", {}, "/nowhere")).toEqual([4504, "not_found"]);
    const Origin = "https://evil.example";
    expect(await refusal(server, `&token=${await token()}`, { Origin })).toEqual([4503, "forbidden_origin"]);
    expect(await refusal(server, "", { Origin }, "/nowhere")).toEqual([4503, "forbidden_origin"]);
  });

  test("is for those alone who ask for it with a good handshake; others get the HTTP answer", async () => {
    expect((await ask(server)).status).toBe(401);
    expect((await ask(server, { path: "/ws?refusal=http" })).status).toBe(401);
    const path = "/ws?refusal=close";
    expect((await ask(server, { path, headers: { "Sec-WebSocket-Key": "x" } })).status).toBe(400);
    expect((await ask(server, { path, headers: { "Sec-WebSocket-Version": "8" } })).status).toBe(426);
    expect((await fetch(server.url(path))).status).toBe(426);
    expect((await fetch(server.url("/nowhere?refusal=close"))).status).toBe(404);
  });

  test("takes no place, however many wait for their clients; where there is none left it says so", async () => {
    const never = await Promise.all(Array.from({ length: 100 }, () => ask(server, { path: "/ws?refusal=close" })));
    // Those who come while 64 are being told have an HTTP answer: 401, or 503 where others' tokens were just being checked.
    expect(never.filter(({ status }) => ![101, 401, 503].includes(status))).toEqual([]);
    const open: RawClient[] = [];
    for (const address of ["198.51.100.1", "198.51.100.2"]) {
      const good = await ask(server, {
        path: `/ws?refusal=close&token=${await token({ sub: address })}`,
        headers: { "X-Forwarded-For": address, "Sec-WebSocket-Protocol": "relay.v1.text" },
      });
      expect(await good.raw.next()).toBe(`:welcome ${address}`);
      open.push(good.raw);
    }
    for (const { raw } of never) raw.reset();
    const from = async (address: string) => refusal(server, `&token=${await token()}`, { "X-Forwarded-For": address });
    await expect.poll(() => from("198.51.100.1")).toEqual([1013, "too_many_connections"]);
    expect(await from("198.51.100.3")).toEqual([1013, "full"]);
    for (const raw of open) raw.reset();
  });

  test("counts as an attempt to connect", async () => {
    const headers = { "X-Forwarded-For": "198.51.100.9" };
    const many = Array.from({ length: 40 }, () => refusal(server, "", headers, "/nowhere"));
    const told = await Promise.all(many);
    expect(told).toContainEqual([4504, "not_found"]);
    expect(told).toContainEqual([1013, "too_many_attempts"]);
  });

  test("tells of a shutdown", async () => {
    const last = await ask(server, { path: `/ws?token=${await token({ sub: "last" })}` });
    expect(last.status).toBe(101);
    server.process.signal("SIGTERM");
    expect(await last.raw.closeCode()).toBe(1001);
    expect(await refusal(server, `&token=${await token()}`)).toEqual([1001, "shutting_down"]);
    last.raw.reset();
    expect((await server.process.exit()).code).toBe(0);
  });
});
