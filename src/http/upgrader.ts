import type { Context, Env } from "hono";
import type { Connection } from "../core/link/connection.ts";
import type { Link } from "../core/link/link.ts";
import { type Place, Places } from "../core/link/places.ts";
import { isId } from "../core/protocol/id.ts";
import { negotiate } from "../core/protocol/negotiate.ts";
import type { Relay } from "../core/relay.ts";
import type { ClientOrigin } from "../core/relay-options.ts";
import { type GuardedObserver, guardObserver } from "../core/session/observer.ts";
import { Admission } from "./admission.ts";
import type { AppOptions } from "./app-options.ts";
import type { Authorization } from "./authorization.ts";
import { addressKey, clientAddress, parseTrustedProxies } from "./client-address.ts";
import { checkHandshake } from "./handshake.ts";
import { allowsOrigin, parseOrigins } from "./origins.ts";
import { PendingHandshake } from "./pending.ts";
import { answer, closeFrame, REFUSALS, type Refusal, shorten, unauthorized } from "./refusal.ts";
import type { Runtime } from "./runtime.ts";

/** A decision of `authorize` that accepts the client. */
export type Granted = Extract<Authorization, { allow: true }>;

/** The part of the relay that an accepted client is connected to. */
export interface Endpoint {
  /** Opens the relay's end of the connection. */
  open(connection: Connection, place: Place): Link;
  /** The subprotocol to answer. */
  readonly protocol: string | undefined;
}

/**
 * Returns the endpoint for a client that may connect; `undefined` where the relay has no session left for the client.
 */
export type FindEndpoint = (granted: Granted, client: ClientOrigin) => Endpoint | undefined;

/**
 * Most sockets at a time that are open only to send a refusal as a close frame. Further refusals are HTTP responses.
 */
const MAX_REFUSAL_SOCKETS = 64;

/** Longest text of a refused request that the observer gets, in characters. */
const REPORTED_CHARACTERS = 200;

const ALLOW_EVERYTHING: Granted = { allow: true };

/** Upgrades requests for a connection, or refuses them. */
export class Upgrader<E extends Env> {
  readonly #relay: Relay;
  readonly #runtime: Runtime<E>;
  readonly #options: AppOptions;
  readonly #observer: GuardedObserver;
  /** Whether the observer gets the addresses of clients. */
  readonly #reportsAddress: boolean;
  readonly #admission: Admission;
  readonly #refusalPlaces = new Places(MAX_REFUSAL_SOCKETS);
  readonly #origins: NonNullable<ReturnType<typeof parseOrigins>>;
  readonly #trusted: NonNullable<ReturnType<typeof parseTrustedProxies>>;

  constructor(relay: Relay, runtime: Runtime<E>, options: AppOptions) {
    this.#relay = relay;
    this.#runtime = runtime;
    this.#options = options;
    const { observer } = options;
    this.#observer = guardObserver(observer);
    this.#reportsAddress = observer?.connected !== undefined || observer?.refused !== undefined;
    this.#admission = new Admission(options);
    this.#origins = parseOption("origins", options.origins ?? "*", parseOrigins);
    this.#trusted = options.trustedProxies
      ? parseOption("trustedProxies", options.trustedProxies, parseTrustedProxies)
      : [];
  }

  /**
   * Upgrades the request, or refuses it.
   *
   * The request takes its place before the first asynchronous step. Otherwise simultaneous requests could all pass the
   * same check, and a slow `authorize` could be asked about more clients than may connect.
   */
  async upgrade(c: Context<E>, findEndpoint: FindEndpoint): Promise<Response> {
    const client = this.#clientOrigin(c);
    const address = this.#addressKey(client);
    const refusal =
      this.#admission.countAttempt(address) ?? checkHandshake(c.req.raw) ?? this.#checkOrigin(client.origin);
    if (refusal !== undefined) return this.#refuse(c, refusal, client);
    const place = this.#takePlace(address);
    if ("status" in place) return this.#refuse(c, place, client);
    const pending = new PendingHandshake(place);
    const { authorize } = this.#options;
    const verdict = authorize === undefined ? ALLOW_EVERYTHING : await this.#decide(authorize, c.req.raw, pending);
    if ("allow" in verdict && !this.#relay.isShuttingDown) {
      const endpoint = findEndpoint(verdict, client);
      if (endpoint !== undefined) return this.#startUpgrade(c, pending, endpoint.open, endpoint.protocol);
    }
    pending.abandon();
    return this.#refuse(c, "allow" in verdict ? notAccepting(this.#relay) : verdict, client);
  }

  /** Reports an error of an upgrade to the observer. */
  reportFailure(error: unknown): void {
    this.#observer.failed("upgrade", error);
  }

  /** Refuses a request whose path leads to none of the routes. */
  refuseUnknownPath(c: Context<E>, refusal: Refusal): Response {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") return answer(c, refusal);
    const client = this.#clientOrigin(c);
    // A refusal by a close frame opens a socket, so it counts as an attempt to connect.
    const tooMany = asksForClose(c) ? this.#admission.countAttempt(this.#addressKey(client)) : undefined;
    return this.#refuse(c, tooMany ?? refusal, client);
  }

  #takePlace(address: string): Place | Refusal {
    if (this.#admission.isFull(address)) return REFUSALS.tooManyConnections;
    if (!this.#relay.accepts) return notAccepting(this.#relay);
    const onReleased = this.#admission.countConnection(address);
    return this.#relay.takePlace(onReleased) ?? notAccepting(this.#relay);
  }

  #checkOrigin(origin: string | undefined): Refusal | undefined {
    return allowsOrigin(this.#origins, origin) ? undefined : REFUSALS.forbiddenOrigin;
  }

  /**
   * Returns where the request comes from. Finding the address takes some microseconds, so it is done only where it is
   * used.
   */
  #clientOrigin(c: Context<E>): ClientOrigin {
    const origin = c.req.header("origin");
    if (!this.#admission.needsAddress && !this.#reportsAddress) return { address: undefined, origin };
    const peer = this.#runtime.peerAddress(c);
    return { address: peer && clientAddress(peer, c.req.raw.headers, this.#trusted), origin };
  }

  /** Returns the key by which the client's connections are counted. */
  #addressKey({ address = "unknown" }: ClientOrigin): string {
    return this.#admission.needsAddress ? addressKey(address) : "";
  }

  #startUpgrade(
    c: Context<E>,
    pending: PendingHandshake,
    open: Endpoint["open"],
    protocol: string | undefined,
  ): Response {
    try {
      return this.#runtime.upgradeWebSocket(
        c,
        (connection) => open(connection, pending.finish()),
        protocol,
        pending.abandon,
      );
    } catch (error) {
      pending.abandon();
      throw error;
    }
  }

  /**
   * Refuses with an HTTP response, or with a close frame where the client asks for that. The page in a browser can read
   * the reason of a close frame, but not the response to its handshake. A page of a forbidden origin learns only that
   * its origin is forbidden.
   */
  #refuse(c: Context<E>, refusal: Refusal, client: ClientOrigin): Response {
    this.#report(c, refusal, client);
    const disclosed = this.#checkOrigin(client.origin) ?? refusal;
    const canClose = disclosed.closeCode !== undefined && asksForClose(c) && checkHandshake(c.req.raw) === undefined;
    const place = canClose ? this.#refusalPlaces.take() : undefined;
    if (disclosed.closeCode === undefined || place === undefined) return answer(c, refusal);
    const relay = this.#relay;
    const closeCode = closeFrame(disclosed, disclosed.closeCode);
    const { name } = negotiate(c.req.header("sec-websocket-protocol"), false);
    const open: Endpoint["open"] = (connection, ownPlace) => relay.refuse(connection, closeCode, ownPlace);
    return this.#startUpgrade(c, new PendingHandshake(place), open, name);
  }

  #report(c: Context<E>, { status, code, message }: Refusal, { address, origin }: ClientOrigin): void {
    this.#observer.refused?.({
      address,
      origin: origin && shorten(origin, REPORTED_CHARACTERS),
      path: shorten(c.req.path, REPORTED_CHARACTERS),
      status,
      code,
      message: shorten(message, REPORTED_CHARACTERS),
    });
  }

  /**
   * Asks the app's `authorize`.
   *
   * @returns A refusal also where `authorize` throws or rejects, with any value: Hono itself catches only an Error.
   */
  async #decide(
    authorize: NonNullable<AppOptions["authorize"]>,
    request: Request,
    pending: PendingHandshake,
  ): Promise<Granted | Refusal> {
    try {
      const authorization: unknown = await pending.wait(Promise.resolve(authorize(request)));
      if (pending.hasTimedOut) return REFUSALS.authorizeTimedOut;
      if (!isAuthorization(authorization)) {
        throw new TypeError("Cannot let a client in: what authorize returned is no Authorization");
      }
      if (!authorization.allow) return unauthorized(authorization);
      const { id } = authorization;
      return id === undefined || (typeof id === "string" && isId(id)) ? authorization : REFUSALS.badId;
    } catch (error) {
      this.#observer.failed("authorize", error);
      return REFUSALS.failed;
    }
  }
}

/** Returns the refusal for a relay that takes no connection now. */
export function notAccepting(relay: Relay): Refusal {
  return relay.isShuttingDown ? REFUSALS.shuttingDown : REFUSALS.full;
}

function asksForClose(c: Context): boolean {
  return c.req.query("refusal") === "close";
}

/**
 * Checks the value that `authorize` returned. JavaScript may return anything, and a malformed value must let no client
 * in.
 */
function isAuthorization(value: unknown): value is Authorization {
  if (typeof value !== "object" || value === null || !("allow" in value)) return false;
  if (value.allow === true) return true;
  return value.allow === false && "status" in value && [401, 403, 503].includes(Number(value.status));
}

function parseOption<List>(name: string, text: string, parse: (text: string) => List | undefined): List {
  const list = parse(text);
  if (list === undefined) throw new RangeError(`Cannot make a relay: ${name} is ${JSON.stringify(text)}`);
  return list;
}
