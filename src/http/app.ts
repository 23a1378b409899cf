import { type Context, type Env, Hono } from "hono";
import { checkOptions, type OptionKind } from "../core/check-options.ts";
import type { Connection } from "../core/link/connection.ts";
import type { Link } from "../core/link/link.ts";
import { negotiate } from "../core/protocol/negotiate.ts";
import type { Relay } from "../core/relay.ts";
import type { ClientOrigin, Handshake } from "../core/relay-options.ts";
import { OBSERVER_KINDS, type RelayObserver } from "../core/session/observer.ts";
import type { AdmissionLimits } from "./admission.ts";
import { Door, notAccepting, type Opening } from "./door.ts";
import { answer, notAttached, notFound, REFUSALS } from "./refusal.ts";
import { UpgradeError } from "./upgrade-error.ts";

/** Where a WebSocket is opened, and where a plain request is told so. */
export const UPGRADE_PATHS: readonly string[] = ["/ws", "/echo"];

/** Opens the relay's end of a connection; called once, when the socket is open. */
export type Open = (connection: Connection) => Link;

/**
 * Turns the request into a WebSocket and calls `open` with it.
 *
 * The request has passed `checkHandshake`; between that check and the upgrade nothing may wait.
 *
 * @param protocol The subprotocol to answer; none where it is `undefined`, whatever was offered.
 * @param abandon Gives the connection's place back; to be called when the socket will never open, or is gone and no link was told. Harmless
 * when repeated. Where a runtime cannot tell, the place is given back when the handshake's time is over.
 */
export type UpgradeWebSocket<E extends Env> = (
  c: Context<E>,
  open: Open,
  protocol: string | undefined,
  abandon: () => void,
) => Response;

/** What a runtime gives the app. */
export interface Runtime<E extends Env> {
  readonly upgradeWebSocket: UpgradeWebSocket<E>;
  /** The address at the other end of the request's socket; `undefined` where the runtime does not tell. */
  peerAddress(c: Context<E>): string | undefined;
}

/** Who may connect, and as whom. */
export type Authorization =
  | {
      readonly allow: true;
      readonly id?: string;
      /** Milliseconds since 1970 from which on the client may no longer be connected; never, where it is absent. */
      readonly expiresAt?: number;
      /** Patterns of the rooms that it may join and publish to, `*` for any characters; every room, where they are absent. */
      readonly rooms?: readonly string[];
      /** Patterns of the ids that it may send to, `*` for any characters; every id, where they are absent. */
      readonly to?: readonly string[];
    }
  | {
      readonly allow: false;
      readonly status: 401 | 403 | 503;
      /** The sentence that the client is told; a browser's page can read it. */
      readonly message: string;
      /** Whether the client showed a token that was good once: with 401, a new one is worth another attempt. */
      readonly expired?: boolean;
    };

export interface AppOptions extends AdmissionLimits {
  /**
   * Decides on each request for a connection before it is upgraded; what it throws or rejects with refuses the request
   * with 500, and an answer that takes longer than 10 s comes too late. An `id` that it returns is the session's, in place of the next
   * number.
   */
  readonly authorize?: ((request: Request) => Authorization | Promise<Authorization>) | undefined;
  /**
   * The pages that may connect, with commas between them: `https://example.org`, `https://*.example.org` for its subdomains, `*`
   * for any. A request without an Origin comes from no browser, and is let through. Default: `*`.
   */
  readonly origins?: string | undefined;
  /**
   * The proxies whose word on the client's address counts, as addresses or CIDR blocks with commas between them: it is the last hop
   * in `Forwarded` or `X-Forwarded-For` that is none of them. Default: none, the headers are ignored.
   */
  readonly trustedProxies?: string | undefined;
  /** Told of refused connections, and of what `authorize` throws, as of a failure on `authorize`. */
  readonly observer?: RelayObserver;
}

/** Kinds of the options. */
export const APP_OPTION_KINDS = {
  authorize: "function",
  origins: "string",
  trustedProxies: "string",
  observer: "object",
  maxConnectionsPerIp: "number",
  connectRate: "number",
  connectRatePerIp: "number",
} as const satisfies Record<keyof AppOptions, OptionKind>;

/**
 * The relay's routes, as a Hono app of their own.
 *
 * @throws {RangeError} When `origins` or `trustedProxies` is no such list, or a number is not positive.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 */
export function createApp<E extends Env>(relay: Relay, runtime: Runtime<E>, options: AppOptions = {}): Hono<E> {
  checkOptions("Cannot make the relay's routes", options, APP_OPTION_KINDS, { observer: OBSERVER_KINDS });
  const app = new Hono<E>();
  const door = new Door(relay, runtime, options);

  app.all("/ws", (c) =>
    door.enter(c, ({ id, rooms, to, expiresAt }, client) => {
      const protocol = negotiate(c.req.header("sec-websocket-protocol"), c.req.query("from") === "1");
      const count = c.req.query("attempt") ?? "";
      const handshake: Handshake = {
        protocol,
        id,
        resume: c.req.query("resume"),
        attempt: /^\d{1,9}$/.test(count) ? Number(count) : undefined,
        grant: { rooms, to },
        expiresInMs: expiresAt === undefined ? undefined : Math.max(0, expiresAt - Date.now()),
        client,
      };
      return relay.hasRoomFor(handshake) ? opening(relay, handshake, protocol.name) : undefined;
    }),
  );
  app.all("/echo", (c) => door.enter(c, (_granted, client) => openingEcho(relay, client)));
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const isReady = relay.accepts && relay.hasRoomFor({});
    return isReady ? c.json({ status: "ready" }) : answer(c, notAccepting(relay));
  });

  // A mounted app answers its own root: Hono does not mount what is here.
  app.notFound((c) => (asksForPage(c) ? page(c) : door.turnAway(c, notFound(c.req.path))));
  let isToldOfServer = false;
  app.onError((error, c) => {
    const isServers = error instanceof UpgradeError;
    if (!(isServers && isToldOfServer)) door.reportFailure(error);
    isToldOfServer ||= isServers;
    return answer(c, isServers ? notAttached(error.message) : REFUSALS.failed);
  });
  return app;
}

/** What somebody reads at `/` who looks at a relay with a browser. */
const PAGE = `This is hono-relay, a WebSocket relay.

/ws       the relay: "id:message" reaches the client with that id
/echo     sends each message back
/healthz  200 while the process lives
/readyz   200 while the relay takes connections

Try it in a terminal: npx wscat -s relay.v1.text -c ws://127.0.0.1:8080/ws, with this relay's address; :help lists the commands.
`;

function page(c: Context): Response {
  // Named here: the default that a Response has for text is missing in the answer to HEAD.
  return c.body(PAGE, 200, { "Content-Type": "text/plain; charset=utf-8" });
}

function asksForPage(c: Context): boolean {
  const { method, path } = c.req;
  return path === "/" && (method === "GET" || method === "HEAD") && c.req.header("upgrade") === undefined;
}

// Functions of their own, so that what opens holds nothing of the request.

function opening(relay: Relay, handshake: Handshake, protocol: string | undefined): Opening {
  return { open: (connection, place) => relay.open(connection, handshake, place), protocol };
}

function openingEcho(relay: Relay, client: ClientOrigin): Opening {
  return { open: (connection, place) => relay.openEcho(connection, place, client), protocol: undefined };
}
