import { checkOptions, type OptionKind, requirePositive } from "./check-options.ts";
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
  RELAY_OPTION_KINDS,
  RELAY_OPTION_PARTS,
  type RelayOptions,
} from "./relay-options.ts";
import type {
  CommandResult,
  DisconnectOptions,
  Holdings,
  PublishOptions,
  PublishResult,
  RelayStats,
  RoomPage,
  RoomQuery,
  SendResult,
  ServerApi,
  SessionDetails,
  SessionPage,
  SessionQuery,
} from "./server-api.ts";
import type { ServerCommands } from "./server-commands.ts";
import { guardObserver, type RelayObserver } from "./session/observer.ts";
import { Sessions } from "./sessions.ts";

const ACTION = "Cannot make a relay";

/** Longest delay that setTimeout accepts; longer ones fire immediately. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** Options of a shutdown. */
export interface ShutdownOptions {
  /**
   * Time in which the relay still takes connections, while `/readyz` answers 503, in milliseconds. A load balancer
   * needs it to stop sending clients. Default: 0.
   */
  readonly delayMs?: number;
  /**
   * Time over which the connections are closed with 1012, in even batches, in milliseconds. With 0 all are closed with
   * 1001 at once. Default: 0.
   */
  readonly drainMs?: number;
  /** Called when `delayMs` is over: the relay takes no more connections, so the server need not listen any more. */
  readonly onRefusing?: (() => void) | undefined;
}

const SHUTDOWN_OPTION_KINDS = {
  delayMs: "number",
  drainMs: "number",
  onRefusing: "function",
} as const satisfies Record<keyof ShutdownOptions, OptionKind>;

/** The relay: gives every connection an id, and forwards `id:message` to the connection with that id. */
export class Relay implements ServerApi {
  readonly limits: Limits;
  /** Time that a client has to answer a close, in milliseconds. */
  readonly closeTimeoutMs: number;
  readonly #observer: RelayObserver;
  readonly #places: Places;
  readonly #links: Links;
  readonly #sessions: Sessions;
  readonly #server: ServerCommands;
  #isAccepting = true;
  #isShuttingDown = false;
  #shutdownPromise: Promise<void> | undefined = undefined;

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
    this.closeTimeoutMs = closeTimeoutMs;
    this.#observer = guardObserver(options.observer);
    this.#places = new Places(this.limits.maxConnections);
    const schedule = options.schedule ?? queueMicrotask;
    this.#links = new Links({ limits: this.limits, heartbeatMs, heartbeatMisses, closeTimeoutMs, schedule });
    const parts = { links: this.#links, observer: this.#observer };
    this.#sessions = new Sessions({ ...options, ...parts, heartbeatMs, resumeMs });
    this.#server = this.#sessions.server;
  }

  /** Whether the relay accepts connections: it has a place left, and no shutdown refuses them. */
  get accepts(): boolean {
    return this.#isAccepting && !this.#places.areFull;
  }

  /** Whether `shutdown` was called. The relay may still accept connections: see `ShutdownOptions.delayMs`. */
  get isShuttingDown(): boolean {
    return this.#isShuttingDown;
  }

  /** Whether a shutdown has come so far that the relay refuses connections. */
  get isRefusing(): boolean {
    return !this.#isAccepting;
  }

  /** Whether a client with this handshake gets a session: an existing one, or a new one within `maxSessions`. */
  hasRoomFor(handshake: Handshake): boolean {
    return this.#sessions.hasRoomFor(handshake);
  }

  /** Numbers of connections, sessions, rooms, watches, messages and bytes that the relay holds now. */
  get holdings(): Holdings {
    return this.#sessions.holdings;
  }

  /** Counts a handshake that the entry refused, for `stats`. @param code Code of the refusal; docs/protocol.md lists them. */
  countRefusal(code: string): void {
    this.#server.countRefusal(code);
  }

  /**
   * Takes a place for a connection, before its handshake is answered. The place counts against `maxConnections`. The
   * caller must release it, or pass it to `open` or `openEcho`; the relay then releases it when the socket is gone.
   *
   * @param onReleased Runs once, when the place is released.
   * @returns `undefined` if the relay accepts no connection now.
   */
  takePlace(onReleased?: () => void): Place | undefined {
    return this.accepts ? this.#places.take(onReleased) : undefined;
  }

  /**
   * Begins a session over the connection, or resumes the one that the handshake's token names.
   *
   * @param place Result of `takePlace`. If it is `undefined` or was released meanwhile, the connection is refused.
   * @returns The link to which the entry must report the socket's events.
   */
  open(connection: Connection, handshake: Handshake = {}, place: Place | undefined = this.takePlace()): Link {
    if (!this.#isUsable(place)) return this.refuse(connection, this.#refusalCode(), place);
    return this.#sessions.open(connection, handshake, place);
  }

  /**
   * Opens an echo on the connection: each message is sent back as `res:` and the message. It has no id.
   *
   * @param place Result of `takePlace`. If it is `undefined` or was released meanwhile, the connection is refused.
   * @param client Origin of the client, for the observer.
   * @returns The link to which the entry must report the socket's events.
   */
  openEcho(connection: Connection, place: Place | undefined = this.takePlace(), client?: ClientOrigin): Link {
    if (!this.#isUsable(place)) return this.refuse(connection, this.#refusalCode(), place);
    return new Echo(connection, this.#links, this.#observer, { place, client }).link;
  }

  /**
   * Closes a new connection with the code; no session begins.
   *
   * @param place Released when the socket is gone.
   * @returns The link to which the entry must report the socket's events.
   */
  refuse(connection: Connection, closeCode: CloseCode, place?: Place): Link {
    return this.#links.refuse(connection, closeCode, place);
  }

  send(id: string, data: unknown): Promise<SendResult> {
    return this.#server.send(id, data);
  }

  publish(room: string, data: unknown, options?: PublishOptions): Promise<PublishResult> {
    return this.#server.publish(room, data, options);
  }

  sessions(query?: SessionQuery): Promise<SessionPage> {
    return this.#server.sessions(query);
  }

  session(id: string): Promise<SessionDetails | undefined> {
    return this.#server.session(id);
  }

  rooms(query?: RoomQuery): Promise<RoomPage> {
    return this.#server.rooms(query);
  }

  members(room: string): Promise<readonly string[]> {
    return this.#server.members(room);
  }

  join(id: string, room: string): Promise<CommandResult> {
    return this.#server.join(id, room);
  }

  leave(id: string, room: string): Promise<CommandResult> {
    return this.#server.leave(id, room);
  }

  disconnect(id: string, options?: DisconnectOptions): Promise<CommandResult> {
    return this.#server.disconnect(id, options);
  }

  stats(): Promise<RelayStats> {
    return this.#server.stats();
  }

  /**
   * Shuts the relay down for good. It refuses new connections after `delayMs`, and closes the open ones with 1012 over
   * `drainMs`: those first that have received everything that was sent to them. Then it closes the others with 1001,
   * and waits for their clients to answer. Connections that are still open after `closeTimeoutMs` are dropped.
   *
   * A connection closes behind the outcomes of all commands that the relay has carried out. So a client that is closed
   * with 1012 may repeat each command without an outcome elsewhere.
   *
   * @returns A promise that resolves when every connection is closed or dropped; the same one for each call. Options of
   * further calls have no effect.
   * @throws {RangeError} When a duration is negative or longer than a timer can be.
   * @throws {TypeError} When an option does not exist or is of a wrong type.
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    const action = "Cannot shut down";
    checkOptions(action, options, SHUTDOWN_OPTION_KINDS);
    const { delayMs = 0, drainMs = 0, onRefusing = () => {} } = options;
    requirePositive(action, { ...(delayMs !== 0 && { delayMs }), ...(drainMs !== 0 && { drainMs }) }, MAX_TIMEOUT_MS);
    this.#shutdownPromise ??= this.#runShutdown(delayMs, drainMs, onRefusing);
    return this.#shutdownPromise;
  }

  async #runShutdown(delayMs: number, drainMs: number, onRefusing: () => void): Promise<void> {
    this.#isShuttingDown = true;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    this.#isAccepting = false;
    onRefusing();
    // Their clients cannot come back any more: a message for them must not be queued.
    this.#sessions.closeAway(CLOSE_CODES.goingAway);
    if (drainMs > 0) await this.#links.drain(CLOSE_CODES.restarting, drainMs);
    this.#sessions.stopPresenceTimer();
    this.#links.startClosing(CLOSE_CODES.goingAway);
    await this.#links.untilGone();
  }

  /**
   * Whether the place may be used: since it was taken, a shutdown may have begun or the handshake may have timed out.
   */
  #isUsable(place: Place | undefined): place is Place {
    return this.#isAccepting && place?.isReleased === false;
  }

  #refusalCode(): CloseCode {
    return this.#isAccepting ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.goingAway;
  }
}
