import { checkOptions, requirePositive } from "./check-options.ts";
import { Echo } from "./echo.ts";
import { CLOSE_CODES, type CloseCode } from "./link/close-codes.ts";
import type { Connection } from "./link/connection.ts";
import { DEFAULT_LIMITS, type Limits } from "./link/limits.ts";
import type { Link } from "./link/link.ts";
import { Links } from "./link/links.ts";
import { type Place, Places } from "./link/places.ts";
import {
  type ClientOrigin,
  type Handshake,
  type Holdings,
  RELAY_OPTION_KINDS,
  RELAY_OPTION_PARTS,
  type RelayOptions,
} from "./relay-options.ts";
import { guardObserver, type RelayObserver } from "./session/observer.ts";
import { Sessions } from "./sessions.ts";

const ACTION = "Cannot make a relay";

/** Longest delay that setTimeout accepts; longer ones fire immediately. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** The relay: gives every connection an id, and forwards `id:message` to the connection with that id. */
export class Relay {
  readonly limits: Limits;
  readonly #observer: RelayObserver;
  readonly #places: Places;
  readonly #links: Links;
  readonly #sessions: Sessions;
  #accepting = true;
  #drained: Promise<void> | undefined = undefined;

  /**
   * @throws {RangeError} When a number among the options is outside its range.
   * @throws {TypeError} When an option does not exist or is of a wrong type.
   */
  constructor(options: RelayOptions = {}) {
    checkOptions(ACTION, options, RELAY_OPTION_KINDS, RELAY_OPTION_PARTS);
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { heartbeatMs = 5000, heartbeatMisses = 3, resumeMs = 30_000, closeTimeoutMs = 2000 } = options;
    requirePositive(ACTION, { ...this.limits, heartbeatMisses });
    requirePositive(ACTION, { heartbeatMs, closeTimeoutMs, ...(resumeMs !== 0 && { resumeMs }) }, MAX_TIMEOUT_MS);
    this.#observer = guardObserver(options.observer);
    this.#places = new Places(this.limits.maxConnections);
    const schedule = options.schedule ?? queueMicrotask;
    this.#links = new Links({ limits: this.limits, heartbeatMs, heartbeatMisses, closeTimeoutMs, schedule });
    const parts = { links: this.#links, observer: this.#observer };
    this.#sessions = new Sessions({ ...options, ...parts, heartbeatMs, resumeMs });
  }

  /** Whether the relay takes connections: it has a place left and is not shutting down. */
  get accepts(): boolean {
    return this.#accepting && !this.#places.areFull;
  }

  /** Whether the relay is shutting down, or has. */
  get isShuttingDown(): boolean {
    return !this.#accepting;
  }

  /** Whether a client that shakes hands like this gets a session: a new one counts against `maxSessions`. */
  hasRoomFor(handshake: Handshake): boolean {
    return this.#sessions.hasRoomFor(handshake);
  }

  /** What the relay holds now. */
  get holdings(): Holdings {
    this.#links.budget.recount();
    const { budget, size } = this.#links;
    return { connections: size, ...this.#sessions.holdings, bufferedBytes: budget.bytes };
  }

  /**
   * Takes a place for a connection, before its handshake is answered. The place counts from now on; whoever takes it releases it,
   * unless `open` or `openEcho` gets it: then the relay releases it when the socket is gone.
   *
   * @param onReleased Runs once, when the place is released.
   * @returns `undefined` where the relay takes no connection now.
   */
  takePlace(onReleased?: () => void): Place | undefined {
    return this.accepts ? this.#places.take(onReleased) : undefined;
  }

  /**
   * Opens a session for the connection, or goes on with one that was resumed.
   *
   * @param place What `takePlace` returned for it. Where it was released meanwhile, and where there is none, the connection is refused.
   * @returns Where the entry reports what comes from the socket.
   */
  open(connection: Connection, handshake: Handshake = {}, place: Place | undefined = this.takePlace()): Link {
    if (!this.#isGood(place)) return this.refuse(connection, this.#refusal(), place);
    return this.#sessions.open(connection, handshake, place);
  }

  /** Opens an echo on the connection: each message comes back as `res:` and the message. It has no id. */
  openEcho(connection: Connection, place: Place | undefined = this.takePlace(), client?: ClientOrigin): Link {
    if (!this.#isGood(place)) return this.refuse(connection, this.#refusal(), place);
    return new Echo(connection, this.#links, this.#observer, { place, client }).link;
  }

  /**
   * Closes a connection with the code; nothing begins with it.
   *
   * @param place Released when the socket is gone.
   */
  refuse(connection: Connection, closeCode: CloseCode, place?: Place): Link {
    return this.#links.refuse(connection, closeCode, place);
  }

  /**
   * Takes no more connections, closes all with 1001 and waits for them; who has not gone after `closeTimeoutMs` is dropped.
   *
   * @returns When every connection has gone or was dropped; the same promise when called again. The same relay cannot be started again.
   */
  shutdown(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    this.#accepting = false;
    this.#sessions.stop();
    this.#links.startClosing(CLOSE_CODES.goingAway);
    this.#sessions.closeAway(CLOSE_CODES.goingAway);
    await this.#links.drain();
  }

  /** Whether a connection may begin with the place: a shutdown may have come since it was taken, or the handshake's time run out. */
  #isGood(place: Place | undefined): place is Place {
    return this.#accepting && place?.isReleased === false;
  }

  #refusal(): CloseCode {
    return this.#accepting ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.goingAway;
  }
}
