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
import { closeFrame, REFUSALS, type Refusal, shorten, unauthorized } from "./refusal.ts";
import type { UpgradeRequest } from "./upgrade-request.ts";

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
export type FindEndpoint = (request: UpgradeRequest, granted: Granted, client: ClientOrigin) => Endpoint | undefined;

/**
 * Most sockets at a time that are open only to send a refusal as a close frame. Further refusals are HTTP responses.
 */
const MAX_REFUSAL_SOCKETS = 64;

/** Longest text of a refused request that the observer gets, in characters. */
const REPORTED_CHARACTERS = 200;

const ALLOW_EVERYTHING: Granted = { allow: true };

/** Upgrades requests for a connection, or refuses them. */
export class Upgrader {
  readonly #relay: Relay;
  readonly #options: AppOptions;
  readonly #observer: GuardedObserver;
  readonly #admission: Admission;
  readonly #refusalPlaces = new Places(MAX_REFUSAL_SOCKETS);
  readonly #origins: NonNullable<ReturnType<typeof parseOrigins>>;
  readonly #trusted: NonNullable<ReturnType<typeof parseTrustedProxies>>;

  constructor(relay: Relay, options: AppOptions) {
    this.#relay = relay;
    this.#options = options;
    this.#observer = guardObserver(options.observer);
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
   *
   * @returns The refusal to answer as an HTTP response; `undefined` where the request was upgraded. A promise only
   * where the app has an `authorize`.
   */
  upgrade(request: UpgradeRequest, findEndpoint: FindEndpoint): Refusal | undefined | Promise<Refusal | undefined> {
    const client = this.#clientOrigin(request);
    const address = this.#addressKey(client);
    const refusal =
      this.#admission.countAttempt(address) ?? checkHandshake(request) ?? this.#checkOrigin(client.origin);
    if (refusal !== undefined) return this.#refuse(request, refusal, client);
    const place = this.#takePlace(address);
    if ("status" in place) return this.#refuse(request, place, client);
    const pending = new PendingHandshake(place);
    const { authorize } = this.#options;
    if (authorize === undefined) return this.#connect(request, pending, ALLOW_EVERYTHING, findEndpoint, client);
    return this.#decide(authorize, request, pending).then((verdict) =>
      this.#connect(request, pending, verdict, findEndpoint, client),
    );
  }

  /** Connects the client to its endpoint, if the verdict accepts it and the relay still has room. */
  #connect(
    request: UpgradeRequest,
    pending: PendingHandshake,
    verdict: Granted | Refusal,
    findEndpoint: FindEndpoint,
    client: ClientOrigin,
  ): Refusal | undefined {
    if ("allow" in verdict && !this.#relay.isRefusing) {
      const endpoint = findEndpoint(request, verdict, client);
      if (endpoint !== undefined) {
        this.#startUpgrade(request, pending, endpoint.open, endpoint.protocol);
        return undefined;
      }
    }
    pending.abandon();
    return this.#refuse(request, "allow" in verdict ? notAccepting(this.#relay) : verdict, client);
  }

  /** Reports an error of an upgrade to the observer. */
  reportFailure(error: unknown): void {
    this.#observer.failed("upgrade", error);
  }

  /**
   * Refuses a request whose path leads to none of the routes.
   *
   * @returns The refusal to answer as an HTTP response; `undefined` where a close frame tells it.
   */
  refuseUnknownPath(request: UpgradeRequest, refusal: Refusal): Refusal | undefined {
    if (request.header("upgrade")?.toLowerCase() !== "websocket") return refusal;
    const client = this.#clientOrigin(request);
    // A refusal by a close frame opens a socket, so it counts as an attempt to connect.
    const tooMany = asksForClose(request) ? this.#admission.countAttempt(this.#addressKey(client)) : undefined;
    return this.#refuse(request, tooMany ?? refusal, client);
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

  /** Returns where the request comes from. */
  #clientOrigin(request: UpgradeRequest): ClientOrigin {
    const origin = request.header("origin");
    const peer = request.peerAddress();
    const headers = { get: (name: string) => request.header(name) ?? null };
    return { address: clientAddress(peer, headers, this.#trusted), origin, requestedAt: performance.now() };
  }

  /** Returns the key by which the client's connections are counted. */
  #addressKey({ address = "unknown" }: ClientOrigin): string {
    return this.#admission.needsAddress ? addressKey(address) : "";
  }

  #startUpgrade(
    request: UpgradeRequest,
    pending: PendingHandshake,
    open: Endpoint["open"],
    protocol: string | undefined,
  ): void {
    try {
      request.upgrade((connection) => open(connection, pending.finish()), protocol, pending.abandon);
      pending.startTimeout();
    } catch (error) {
      pending.abandon();
      throw error;
    }
  }

  /**
   * Refuses with an HTTP response, or with a close frame where the client asks for that. The page in a browser can read
   * the reason of a close frame, but not the response to its handshake. A page of a forbidden origin learns only that
   * its origin is forbidden.
   *
   * @returns The refusal to answer as an HTTP response; `undefined` where a close frame tells it.
   */
  #refuse(request: UpgradeRequest, refusal: Refusal, client: ClientOrigin): Refusal | undefined {
    this.#report(request, refusal, client);
    const disclosed = this.#checkOrigin(client.origin) ?? refusal;
    const canClose =
      disclosed.closeCode !== undefined && asksForClose(request) && checkHandshake(request) === undefined;
    const place = canClose ? this.#refusalPlaces.take() : undefined;
    if (disclosed.closeCode === undefined || place === undefined) return refusal;
    const relay = this.#relay;
    const closeCode = closeFrame(disclosed, disclosed.closeCode);
    const { name } = negotiate(request.header("sec-websocket-protocol"), false);
    const open: Endpoint["open"] = (connection, ownPlace) => relay.refuse(connection, closeCode, ownPlace);
    this.#startUpgrade(request, new PendingHandshake(place), open, name);
    return undefined;
  }

  #report(request: UpgradeRequest, { status, code, message }: Refusal, client: ClientOrigin): void {
    const { address, origin, requestedAt = 0 } = client;
    this.#relay.countRefusal(code);
    this.#observer.refused?.({
      address,
      origin: origin && shorten(origin, REPORTED_CHARACTERS),
      path: shorten(request.path, REPORTED_CHARACTERS),
      status,
      code,
      message: shorten(message, REPORTED_CHARACTERS),
      handshakeMs: performance.now() - requestedAt,
    });
  }

  /**
   * Asks the app's `authorize`.
   *
   * @returns A refusal also where `authorize` throws or rejects, with any value: Hono itself catches only an Error.
   */
  async #decide(
    authorize: NonNullable<AppOptions["authorize"]>,
    request: UpgradeRequest,
    pending: PendingHandshake,
  ): Promise<Granted | Refusal> {
    try {
      const authorization: unknown = await pending.wait(Promise.resolve(authorize(request.toRequest())));
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

function asksForClose(request: UpgradeRequest): boolean {
  return request.query("refusal") === "close";
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
