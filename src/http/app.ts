import { type Context, type Env, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Connection } from "../core/connection.ts";
import { isId } from "../core/id.ts";
import type { Link } from "../core/link.ts";
import { negotiate } from "../core/protocol/negotiate.ts";
import type { Relay } from "../core/relay.ts";
import { checkHandshake } from "./handshake.ts";

/** What becomes of a request's socket once it is open. Called once, or never where the client went away before. */
export type Open = (connection: Connection) => Link;

/**
 * What a runtime gives the app: turns the request into a WebSocket and calls `open` with it.
 *
 * The request has passed `checkHandshake`; between that check and the upgrade nothing may wait.
 *
 * @param protocol The subprotocol to answer; none where it is `undefined`, whatever was offered.
 */
export type UpgradeWebSocket<E extends Env> = (c: Context<E>, open: Open, protocol: string | undefined) => Response;

/** Who may connect, and as whom. */
export type Authorization =
  | { readonly allow: true; readonly id?: string }
  | { readonly allow: false; readonly status: 401 | 403; readonly message: string };

export interface AppOptions {
  /**
   * Decides on each request for a session before it is upgraded; what it throws or rejects with refuses the request
   * with 500. An `id` that it returns is the session's, in place of the next number.
   */
  readonly authorize?: (request: Request) => Authorization | Promise<Authorization>;
}

/** The relay's routes, as a Hono app of their own. */
export function createApp<E extends Env>(
  relay: Relay,
  upgradeWebSocket: UpgradeWebSocket<E>,
  options: AppOptions = {},
): Hono<E> {
  const app = new Hono<E>();
  const { authorize } = options;

  app.all("/ws", async (c) => {
    const refusal = refuse(c, relay);
    if (refusal !== undefined) return refusal;
    if (authorize === undefined) return openSession(c, relay, upgradeWebSocket, undefined);
    const authorization = await ask(authorize, c.req.raw);
    if (authorization === undefined) return failed(c);
    if (!authorization.allow) {
      const code = authorization.status === 401 ? "unauthorized" : "forbidden";
      return failure(c, authorization.status, code, authorization.message);
    }
    if (authorization.id !== undefined && !isId(authorization.id)) {
      return failure(
        c,
        403,
        "bad_id",
        "Cannot connect: the id given to this client is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
      );
    }
    // The last place may have gone while that was waited for.
    return refuse(c, relay) ?? openSession(c, relay, upgradeWebSocket, authorization.id);
  });
  app.all(
    "/echo",
    (c) => refuse(c, relay) ?? upgradeWebSocket(c, (connection) => relay.openEcho(connection), undefined),
  );
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => (relay.accepts ? c.json({ status: "ready" }) : notAccepting(c, relay)));

  app.notFound((c) => failure(c, 404, "not_found", `Cannot find ${c.req.path}: the relay is at /ws`));
  app.onError((_error, c) => failed(c));
  return app;
}

/** What the app decides; `undefined` where it throws or rejects, whatever with: Hono catches nothing but an Error. */
async function ask(
  authorize: NonNullable<AppOptions["authorize"]>,
  request: Request,
): Promise<Authorization | undefined> {
  try {
    return await authorize(request);
  } catch {
    return undefined;
  }
}

function failed(c: Context): Response {
  return failure(c, 500, "internal", "Cannot answer: the relay failed on this request");
}

function openSession<E extends Env>(
  c: Context<E>,
  relay: Relay,
  upgradeWebSocket: UpgradeWebSocket<E>,
  id: string | undefined,
): Response {
  const protocol = negotiate(c.req.header("sec-websocket-protocol"), c.req.query("from") === "1");
  const resume = c.req.query("resume");
  const count = c.req.query("attempt") ?? "";
  const attempt = /^\d{1,9}$/.test(count) ? Number(count) : undefined;
  return upgradeWebSocket(c, (connection) => relay.open(connection, { protocol, id, resume, attempt }), protocol.name);
}

/** What refuses the upgrade, whoever asks for it. */
function refuse(c: Context, relay: Relay): Response | undefined {
  const refusal = checkHandshake(c.req.raw);
  if (refusal !== undefined) return failure(c, refusal.status, refusal.code, refusal.message, refusal.headers);
  return relay.accepts ? undefined : notAccepting(c, relay);
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
