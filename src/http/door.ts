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

export type Granted = Extract<Authorization, { allow: true }>;

/** What opens on a connection that was let in. */
export interface Opening {
  open(connection: Connection, place: Place): Link;
  /** The subprotocol to answer. */
  readonly protocol: string | undefined;
}

/** Says what opens for a client that may connect; `undefined` where the relay has no session left for it. */
export type Begin = (granted: Granted, client: ClientOrigin) => Opening | undefined;

/** Sockets that are open at the same time only to tell their clients why they were refused. Further refusals are HTTP answers. */
const MAX_REFUSING = 64;

/** Longest text of a refused request that the observer is told. */
const REPORTED_CHARACTERS = 200;

const EVERYTHING: Granted = { allow: true };

/** Lets requests for a connection in, or tells them why not. */
export class Door<E extends Env> {
  readonly #relay: Relay;
  readonly #runtime: Runtime<E>;
  readonly #options: AppOptions;
  readonly #observer: GuardedObserver;
  /** Whether somebody is told of addresses. */
  readonly #reportsAddress: boolean;
  readonly #admission: Admission;
  readonly #refusing = new Places(MAX_REFUSING);
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
    this.#origins = listed("origins", options.origins ?? "*", parseOrigins);
    this.#trusted = options.trustedProxies ? listed("trustedProxies", options.trustedProxies, parseTrustedProxies) : [];
  }

  /**
   * Upgrades the request, or refuses it. It takes its place before anything waits, so that those who come together cannot all pass the same
   * check, and those whose authorization takes its time are no more than may connect.
   */
  async enter(c: Context<E>, begin: Begin): Promise<Response> {
    const client = this.#client(c);
    const address = this.#addressKey(client);
    const refusal = this.#admission.attempt(address) ?? checkHandshake(c.req.raw) ?? this.#checkOrigin(client.origin);
    if (refusal !== undefined) return this.#refuse(c, refusal, client);
    const place = this.#takePlace(address);
    if ("status" in place) return this.#refuse(c, place, client);
    const pending = new PendingHandshake(place);
    const { authorize } = this.#options;
    const verdict = authorize === undefined ? EVERYTHING : await this.#decide(authorize, c.req.raw, pending);
    if ("allow" in verdict && !this.#relay.isShuttingDown) {
      const opening = begin(verdict, client);
      if (opening !== undefined) return this.#upgrade(c, pending, opening.open, opening.protocol);
    }
    pending.abandon();
    return this.#refuse(c, "allow" in verdict ? notAccepting(this.#relay) : verdict, client);
  }

  /** Reports what went wrong with an upgrade. */
  reportFailure(error: unknown): void {
    this.#observer.failed("upgrade", error);
  }

  /** Refuses a request for a path at which there is nothing. */
  turnAway(c: Context<E>, refusal: Refusal): Response {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") return answer(c, refusal);
    const client = this.#client(c);
    // What opens a socket counts as an attempt to connect.
    const tooMany = asksForClose(c) ? this.#admission.attempt(this.#addressKey(client)) : undefined;
    return this.#refuse(c, tooMany ?? refusal, client);
  }

  #takePlace(address: string): Place | Refusal {
    if (this.#admission.isFull(address)) return REFUSALS.tooManyConnections;
    if (!this.#relay.accepts) return notAccepting(this.#relay);
    const leave = this.#admission.enter(address);
    return this.#relay.takePlace(leave) ?? notAccepting(this.#relay);
  }

  #checkOrigin(origin: string | undefined): Refusal | undefined {
    return allowsOrigin(this.#origins, origin) ? undefined : REFUSALS.forbiddenOrigin;
  }

  /** Where the request comes from. The address costs some microseconds, and is found only where something depends on it. */
  #client(c: Context<E>): ClientOrigin {
    const origin = c.req.header("origin");
    if (!this.#admission.needsAddress && !this.#reportsAddress) return { address: undefined, origin };
    const peer = this.#runtime.peerAddress(c);
    return { address: peer && clientAddress(peer, c.req.raw.headers, this.#trusted), origin };
  }

  /** What the client's connections are counted by. */
  #addressKey({ address = "unknown" }: ClientOrigin): string {
    return this.#admission.needsAddress ? addressKey(address) : "";
  }

  #upgrade(c: Context<E>, pending: PendingHandshake, open: Opening["open"], protocol: string | undefined): Response {
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
   * Refuses by an HTTP answer, or, where the client has asked for that, by a close frame, which the page of a browser can read. A page of a
   * forbidden origin is told nothing but that it is one.
   */
  #refuse(c: Context<E>, refusal: Refusal, client: ClientOrigin): Response {
    this.#report(c, refusal, client);
    const told = this.#checkOrigin(client.origin) ?? refusal;
    const canClose = told.closeCode !== undefined && asksForClose(c) && checkHandshake(c.req.raw) === undefined;
    const place = canClose ? this.#refusing.take() : undefined;
    if (told.closeCode === undefined || place === undefined) return answer(c, refusal);
    const relay = this.#relay;
    const closeCode = closeFrame(told, told.closeCode);
    const { name } = negotiate(c.req.header("sec-websocket-protocol"), false);
    const open: Opening["open"] = (connection, given) => relay.refuse(connection, closeCode, given);
    return this.#upgrade(c, new PendingHandshake(place), open, name);
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

  /** What the app decides. A refusal where it throws or rejects, whatever with: Hono catches nothing but an Error. */
  async #decide(
    authorize: NonNullable<AppOptions["authorize"]>,
    request: Request,
    pending: PendingHandshake,
  ): Promise<Granted | Refusal> {
    try {
      const authorization: unknown = await pending.wait(Promise.resolve(authorize(request)));
      if (pending.isLate) return REFUSALS.late;
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

/** Why the relay takes no connection. */
export function notAccepting(relay: Relay): Refusal {
  return relay.isShuttingDown ? REFUSALS.shuttingDown : REFUSALS.full;
}

function asksForClose(c: Context): boolean {
  return c.req.query("refusal") === "close";
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
