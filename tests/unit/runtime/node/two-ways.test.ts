import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ConnectionDetails, RefusedConnection } from "../../../../src/core/session/observer.ts";
import {
  createNodeRelay,
  type NodeEnv,
  type NodeRelay,
  type RuntimeOptions,
} from "../../../../src/runtime/node/relay.ts";
import { type HandshakeOptions, handshake, openTcp } from "../../../conformance/raw.ts";

const WAYS = ["directly", "through the app"] as const;

/** Starts a server with the relay's routes: alone, or behind a middleware that does nothing. */
async function serve(way: (typeof WAYS)[number], options: RuntimeOptions) {
  const events: unknown[] = [];
  const { relay, routes, attach } = createNodeRelay({
    closeTimeoutMs: 50,
    ...options,
    observer: {
      connected: (id: string, { handshakeMs, ...details }: ConnectionDetails) =>
        void events.push({ id, hasTime: handshakeMs !== undefined, ...details }),
      refused: ({ handshakeMs, ...refused }: RefusedConnection) =>
        void events.push({ hasTime: handshakeMs >= 0, ...refused }),
      failed: (id: string, error: unknown) => void events.push({ id, error: String(error) }),
    },
  });
  const passed: string[] = [];
  const noteAndGoOn = new Hono<NodeEnv>().use(async (c, next) => {
    passed.push(c.req.path);
    await next();
  });
  const app = way === "directly" ? routes : noteAndGoOn.route("/", routes);
  return { port: await listen({ relay, attach }, app), events, passed };
}

/** Serves the app, which the relay is attached to, until the test ends. @returns The port. */
async function listen({ relay, attach }: Pick<NodeRelay, "relay" | "attach">, app: Hono<NodeEnv>): Promise<number> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  attach(server, app);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await relay.shutdown();
  });
  return (server.address() as AddressInfo).port;
}

/** Sends the handshakes one after the other. @returns All that a client and the observer see of them. */
async function outcomesOf(
  way: (typeof WAYS)[number],
  handshakes: readonly HandshakeOptions[],
  options: RuntimeOptions,
) {
  const { port, events, passed } = await serve(way, options);
  const outcomes: unknown[] = [];
  for (const one of handshakes) {
    const raw = await openTcp(port);
    raw.write(handshake(one));
    const answer = await raw.answer();
    const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
    if (answer.status === 101 && one.path?.includes("refusal=close")) {
      outcomes.push({ headers, close: await raw.closeFrame() });
    } else if (answer.status === 101) {
      if (one.path?.startsWith("/echo")) raw.text("hello");
      else if (one.headers?.["Sec-WebSocket-Protocol"] === undefined) raw.text("nobody:hello");
      outcomes.push({ headers, first: withoutToken(await raw.next()) });
    } else {
      outcomes.push({ status: answer.status, headers, body: await raw.body(answer) });
    }
  }
  return { outcomes, events, passed };
}

function withoutToken(frame: unknown): string {
  return String(frame).replace(/"resumeToken":"\w+"/, "");
}

const JSON_PROTOCOL = { "Sec-WebSocket-Protocol": "relay.v1.json" };

const TABLE: readonly (readonly [string, HandshakeOptions[], RuntimeOptions])[] = [
  ["are good", [{}, { path: "/ws?from=1" }, { path: "/echo" }, { headers: JSON_PROTOCOL }], {}],
  ["offer unknown subprotocols", [{ path: "/echo", headers: { "Sec-WebSocket-Protocol": "x, y" } }], {}],
  ["have parameters", [{ path: "/ws?attempt=3&resume=a%21b+c&from=1&&x&=y", headers: JSON_PROTOCOL }], {}],
  ["have unusual characters in their query", [{ path: '/ws?resume="<>|{}', headers: JSON_PROTOCOL }], {}],
  ["have the port in Host", [{ headers: { Host: "RELAY.example:80" } }, { headers: { Host: "[::1]:1" } }], {}],
  ["have no key", [{ headers: { "Sec-WebSocket-Key": undefined } }], {}],
  ["have a wrong version", [{ headers: { "Sec-WebSocket-Version": "8" } }], {}],
  ["have no Connection: Upgrade", [{ headers: { Connection: "keep-alive" } }], {}],
  ["have a bad list of subprotocols", [{ headers: { "Sec-WebSocket-Protocol": "x,,y" } }], {}],
  ["come from a forbidden page", [{ headers: { Origin: "https://b.example" } }], { origins: "https://a.example" }],
  ["come from a good page", [{ headers: { Origin: "https://a.example" } }], { origins: "https://a.example" }],
  [
    "come from a proxy",
    [{ headers: { "X-Forwarded-For": "192.0.2.7" } }, { headers: { Forwarded: "for=192.0.2.8" } }],
    { trustedProxies: "127.0.0.0/8" },
  ],
  ["are too many", [{}, {}, { path: "/echo" }], { maxConnectionsPerIp: 2 }],
  ["come too often", [{}, {}, {}], { connectRatePerIp: 1 }],
  ["find no place", [{}, {}, { path: "/ws?refusal=close" }], { limits: { maxConnections: 1 } }],
  ["find no session left", [{ headers: JSON_PROTOCOL }, { headers: JSON_PROTOCOL }], { limits: { maxSessions: 1 } }],
  ["are accepted by authorize", [{ headers: JSON_PROTOCOL }], { authorize: async () => ({ allow: true, id: "7" }) }],
  [
    "are refused by authorize",
    [{}, { path: "/ws?refusal=close" }],
    { authorize: () => ({ allow: false, status: 401, message: "Who are you?" }) },
  ],
  [
    "make authorize throw",
    [{ path: "/ws?name=x" }],
    {
      authorize: ({ url, method, headers }) => {
        throw new Error(`${method} ${url} ${headers.get("host")}`);
      },
    },
  ],
];

describe("a handshake that does not pass the app, where the relay's routes are all of it", () => {
  test.each(TABLE)("has the same outcome as one that passes it: handshakes that %s", async (_what, table, options) => {
    const direct = await outcomesOf("directly", table, options);
    const slow = await outcomesOf("through the app", table, options);
    expect(slow.passed.length).toBe(table.length);
    expect(direct.outcomes).toEqual(slow.outcomes);
    expect(direct.events).toEqual(slow.events);
  });

  test.each([
    ["does not pass it", "/v1/*", []],
    ["passes it", "*", ["/ws", "/echo"]],
  ])("%s where a middleware at %s is added to the routes", async (_what, path, expected) => {
    const { relay, routes, attach } = createNodeRelay({ closeTimeoutMs: 50 });
    const fetched: string[] = [];
    routes.use(path, (_c, next) => next());
    const { fetch } = routes;
    routes.fetch = (request, ...rest) => {
      fetched.push(new URL(request.url).pathname);
      return fetch(request, ...rest);
    };
    const port = await listen({ relay, attach }, routes);
    for (const target of ["/ws", "/echo"]) {
      const raw = await openTcp(port);
      raw.write(handshake({ path: target }));
      expect((await raw.answer()).status).toBe(101);
    }
    expect(fetched).toEqual(expected);
  });

  test("passes it again once something is added to the routes", async () => {
    const { relay, routes, attach } = createNodeRelay({ closeTimeoutMs: 50 });
    const seen: string[] = [];
    const port = await listen({ relay, attach }, routes);
    // Hono calls the handlers of the routes first, and this one only where they called `next`: what counts is the path.
    const { fetch } = routes;
    routes.fetch = (request, ...rest) => {
      seen.push(new URL(request.url).pathname);
      return fetch(request, ...rest);
    };
    routes.use(async (_c, next) => next());
    const raw = await openTcp(port);
    raw.write(handshake());
    expect((await raw.answer()).status).toBe(101);
    expect(seen).toEqual(["/ws"]);
  });
});
