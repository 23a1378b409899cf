import { type Context, type Env, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Connection } from "../core/connection.ts";
import type { Link } from "../core/link.ts";
import type { Relay } from "../core/relay.ts";
import { checkHandshake } from "./handshake.ts";

/** What becomes of a request's socket once it is open. Called once, or never where the client went away before. */
export type Open = (connection: Connection) => Link;

/**
 * What a runtime gives the app: turns the request into a WebSocket and calls `open` with it.
 * The request has passed `checkHandshake`; between that check and the upgrade nothing may wait.
 */
export type UpgradeWebSocket<E extends Env> = (c: Context<E>, open: Open) => Response;

/** The relay's routes, as a Hono app of their own. */
export function createApp<E extends Env>(relay: Relay, upgradeWebSocket: UpgradeWebSocket<E>): Hono<E> {
  const app = new Hono<E>();

  app.all("/ws", (c) => {
    const withSender = c.req.query("from") === "1";
    return upgrade(c, relay, upgradeWebSocket, (connection) => relay.open(connection, { withSender }));
  });
  app.all("/echo", (c) => upgrade(c, relay, upgradeWebSocket, (connection) => relay.openEcho(connection)));
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => (relay.accepts ? c.json({ status: "ready" }) : notAccepting(c, relay)));

  app.notFound((c) => failure(c, 404, "not_found", `Cannot find ${c.req.path}: the relay is at /ws`));
  app.onError((_error, c) => failure(c, 500, "internal", "Cannot answer: the relay failed on this request"));
  return app;
}

function upgrade<E extends Env>(
  c: Context<E>,
  relay: Relay,
  upgradeWebSocket: UpgradeWebSocket<E>,
  open: Open,
): Response {
  const refusal = checkHandshake(c.req.raw);
  if (refusal !== undefined) return failure(c, refusal.status, refusal.code, refusal.message, refusal.headers);
  return relay.accepts ? upgradeWebSocket(c, open) : notAccepting(c, relay);
}

function notAccepting(c: Context, relay: Relay): Response {
  const message = relay.isShuttingDown
    ? "Cannot take a connection: the relay is shutting down"
    : "Cannot take a connection: the relay has no place left";
  return failure(c, 503, relay.isShuttingDown ? "shutting_down" : "full", message, { "Retry-After": "1" });
}

function failure(
  c: Context,
  status: ContentfulStatusCode,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.json({ error: { code, message } }, status, headers);
}
