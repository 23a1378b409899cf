import { type Context, type Env, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Connection } from "../core/connection.ts";
import { isId } from "../core/id.ts";
import type { Link } from "../core/link.ts";
import type { RelayObserver } from "../core/observer.ts";
import { negotiate } from "../core/protocol/negotiate.ts";
import type { Relay } from "../core/relay.ts";
import type { Handshake } from "../core/relay-options.ts";
import { Admission, type AdmissionLimits } from "./admission.ts";
import { addressKey, clientAddress, parseTrustedProxies } from "./client-address.ts";
import { checkHandshake } from "./handshake.ts";
import { allowsOrigin, parseOrigins } from "./origins.ts";

/** What becomes of a request's socket once it is open. Called once, or never where the client went away before. */
export type Open = (connection: Connection) => Link;

/**
 * Turns the request into a WebSocket and calls `open` with it.
 *
 * The request has passed `checkHandshake`; between that check and the upgrade nothing may wait.
 *
 * @param protocol The subprotocol to answer; none where it is `undefined`, whatever was offered.
 */
export type UpgradeWebSocket<E extends Env> = (c: Context<E>, open: Open, protocol: string | undefined) => Response;

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
  | { readonly allow: false; readonly status: 401 | 403 | 503; readonly message: string };

export interface AppOptions extends AdmissionLimits {
  /**
   * Decides on each request for a connection before it is upgraded; what it throws or rejects with refuses the request
   * with 500. An `id` that it returns is the session's, in place of the next number.
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
  /** Told of what `authorize` throws, as of a failure on `authorize`. */
  readonly observer?: RelayObserver;
}

type Granted = Extract<Authorization, { allow: true }>;

/**
 * The relay's routes, as a Hono app of their own.
 *
 * @throws {RangeError} When `origins` or `trustedProxies` is no such list.
 */
export function createApp<E extends Env>(relay: Relay, runtime: Runtime<E>, options: AppOptions = {}): Hono<E> {
  const app = new Hono<E>();
  const door = new Door(relay, runtime, options);

  app.all("/ws", (c) =>
    door.enter(c, ({ id, rooms, to, expiresAt }) => {
      const protocol = negotiate(c.req.header("sec-websocket-protocol"), c.req.query("from") === "1");
      const count = c.req.query("attempt") ?? "";
      const handshake: Handshake = {
        protocol,
        id,
        resume: c.req.query("resume"),
        attempt: /^\d{1,9}$/.test(count) ? Number(count) : undefined,
        grant: { rooms, to },
        expiresInMs: expiresAt === undefined ? undefined : Math.max(0, expiresAt - Date.now()),
      };
      return opening(relay, handshake, protocol.name);
    }),
  );
  app.all("/echo", (c) =>
    door.enter(c, () => ({
      open: (connection, released) => relay.openEcho(connection, released),
      protocol: undefined,
    })),
  );
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => (relay.accepts ? c.json({ status: "ready" }) : notAccepting(c, relay)));

  app.notFound((c) => failure(c, 404, "not_found", `Cannot find ${c.req.path}: the relay is at /ws`));
  app.onError((_error, c) => failed(c));
  return app;
}

/** What opens on a connection that was let in. */
interface Opening {
  /** `released` is to be called when the socket is gone. */
  open(connection: Connection, released: (() => void) | undefined): Link;
  readonly protocol: string | undefined;
}

/** A function of its own, so that what opens holds on to nothing of the request. */
function opening(relay: Relay, handshake: Handshake, protocol: string | undefined): Opening {
  return { open: (connection, released) => relay.open(connection, handshake, released), protocol };
}

/** Lets requests for a connection in, or tells them why not. */
class Door<E extends Env> {
  readonly #relay: Relay;
  readonly #runtime: Runtime<E>;
  readonly #options: AppOptions;
  readonly #admission: Admission;
  readonly #origins: NonNullable<ReturnType<typeof parseOrigins>>;
  readonly #trusted: NonNullable<ReturnType<typeof parseTrustedProxies>>;

  constructor(relay: Relay, runtime: Runtime<E>, options: AppOptions) {
    this.#relay = relay;
    this.#runtime = runtime;
    this.#options = options;
    this.#admission = new Admission(options);
    this.#origins = listed("origins", options.origins ?? "*", parseOrigins);
    this.#trusted = options.trustedProxies ? listed("trustedProxies", options.trustedProxies, parseTrustedProxies) : [];
  }

  async enter(c: Context<E>, begin: (granted: Granted) => Opening): Promise<Response> {
    const address = this.#admission.needsAddress ? this.#address(c) : "";
    const turned = this.#admission.attempt(address);
    if (turned !== undefined) return failure(c, turned.status, turned.code, turned.message, { "Retry-After": "1" });
    const refusal = refuse(c, this.#relay);
    if (refusal !== undefined) return refusal;
    if (!allowsOrigin(this.#origins, c.req.header("origin"))) {
      return failure(c, 403, "forbidden_origin", "Cannot connect: pages of this origin may not");
    }
    const { authorize } = this.#options;
    if (authorize === undefined) return this.#upgrade(c, begin({ allow: true }), address);
    const authorization = await this.#ask(authorize, c.req.raw);
    if (authorization === undefined) return failed(c);
    if (!authorization.allow) return refused(c, authorization.status, authorization.message);
    if (authorization.id !== undefined && !(typeof authorization.id === "string" && isId(authorization.id))) {
      return failure(
        c,
        403,
        "bad_id",
        "Cannot connect: the id given to this client is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
      );
    }
    // The last place may have gone while that was waited for.
    const late = refuse(c, this.#relay) ?? this.#tooMany(c, address);
    return late ?? this.#upgrade(c, begin(authorization), address);
  }

  #upgrade(c: Context<E>, { open, protocol }: Opening, address: string): Response {
    return this.#runtime.upgradeWebSocket(
      c,
      (connection) => open(connection, this.#admission.enter(address)),
      protocol,
    );
  }

  #tooMany(c: Context<E>, address: string): Response | undefined {
    const turned = this.#admission.check(address);
    return turned && failure(c, turned.status, turned.code, turned.message, { "Retry-After": "1" });
  }

  #address(c: Context<E>): string {
    const peer = this.#runtime.peerAddress(c) ?? "unknown";
    return addressKey(clientAddress(peer, c.req.raw.headers, this.#trusted));
  }

  /** What the app decides; `undefined` where it throws or rejects, whatever with: Hono catches nothing but an Error. */
  async #ask(authorize: NonNullable<AppOptions["authorize"]>, request: Request): Promise<Authorization | undefined> {
    try {
      const authorization: unknown = await authorize(request);
      if (isAuthorization(authorization)) return authorization;
      throw new TypeError("Cannot let a client in: what authorize returned is no Authorization");
    } catch (error) {
      this.#options.observer?.failed?.("authorize", error);
      return undefined;
    }
  }
}

/** Whether the app's answer is one: JavaScript may return anything, and what cannot be read must let nobody in. */
function isAuthorization(answer: unknown): answer is Authorization {
  if (typeof answer !== "object" || answer === null || !("allow" in answer)) return false;
  if (answer.allow === true) return true;
  return answer.allow === false && "status" in answer && [401, 403, 503].includes(Number(answer.status));
}

function listed<List>(name: string, text: string, parse: (text: string) => List | undefined): List {
  const list = parse(text);
  if (list === undefined) throw new RangeError(`Cannot make a relay: ${name} is ${JSON.stringify(text)}`);
  return list;
}

function failed(c: Context): Response {
  return failure(c, 500, "internal", "Cannot answer: the relay failed on this request");
}

const REFUSALS = { 401: "unauthorized", 403: "forbidden", 503: "unavailable" } as const;

function refused(c: Context, status: 401 | 403 | 503, message: string): Response {
  return failure(c, status, REFUSALS[status], message, status === 401 ? { "WWW-Authenticate": "Bearer" } : {});
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
