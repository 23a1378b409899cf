import { checkOptions, requirePositive } from "./check-options.ts";
import { AwaySessions } from "./directory/away-sessions.ts";
import { Presence } from "./directory/presence.ts";
import { Registry } from "./directory/registry.ts";
import { ResumeTokens } from "./directory/resume-tokens.ts";
import { Rooms } from "./directory/rooms.ts";
import type { EarlierToken } from "./directory/token-format.ts";
import { Watchers } from "./directory/watchers.ts";
import { Echo } from "./echo.ts";
import { CLOSE_CODES, type CloseCode } from "./link/close-codes.ts";
import type { Connection } from "./link/connection.ts";
import { Heartbeat } from "./link/heartbeat.ts";
import { DEFAULT_LIMITS, type Limits, REMEMBERED_ACKS } from "./link/limits.ts";
import { type Ending, Link, type LinkCare, type LinkOwner } from "./link/link.ts";
import { MemoryBudget } from "./link/memory-budget.ts";
import { Turn } from "./link/outbox.ts";
import { type Place, Places } from "./link/places.ts";
import { owned } from "./protocol/owned.ts";
import { plain } from "./protocol/plain.ts";
import type { Command, Protocol, Welcome } from "./protocol/protocol.ts";
import {
  type ClientOrigin,
  type Handshake,
  type Holdings,
  RELAY_OPTION_KINDS,
  RELAY_OPTION_PARTS,
  type RelayOptions,
} from "./relay-options.ts";
import { type RelayHooks, Router } from "./router.ts";
import { CatchUps } from "./session/catch-up.ts";
import { guardObserver, type RelayObserver } from "./session/observer.ts";
import { Session, type SessionRelay } from "./session/session.ts";

/** Longest window in which presence is coalesced; a shorter beat makes it shorter. */
const MAX_PRESENCE_WINDOW_MS = 5000;

const ACTION = "Cannot make a relay";

/** Longest delay that setTimeout accepts; longer ones fire immediately. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** Most ids that are remembered because their mail was given up. */
const MAX_IDS_OF_LOST_MAIL = 4096;

/** The relay: gives every connection an id, and forwards `id:message` to the connection with that id. */
export class Relay {
  readonly limits: Limits;
  readonly #registry: Registry;
  readonly #rooms = new Rooms();
  readonly #watchers = new Watchers();
  readonly #tokens: ResumeTokens;
  readonly #budget: MemoryBudget;
  /** Links of all open sockets. */
  readonly #links = new Set<Link>();
  readonly #places: Places;
  readonly #away: AwaySessions;
  readonly #heartbeatMs: number;
  readonly #heartbeat: Heartbeat;
  readonly #care: LinkCare;
  readonly #observer: RelayObserver;
  readonly #hooks: RelayHooks;
  readonly #presence: Presence;
  readonly #router: Router;
  readonly #session: SessionRelay;
  /** Ids that somebody proved, whose queued mail was given up for want of memory, the oldest first. */
  readonly #idsOfLostMail = new Set<string>();
  #accepting = true;
  #drained: Promise<void> | undefined = undefined;
  #lastReleased = (): void => {};

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
    this.#tokens = new ResumeTokens(options.signer);
    this.#registry = new Registry(options.ids, this.#tokens.idPrefix);
    this.#budget = new MemoryBudget(this.limits, () => this.#links);
    this.#places = new Places(this.limits.maxConnections);
    this.#observer = guardObserver(options.observer);
    this.#hooks = options.hooks ?? {};
    this.#heartbeatMs = heartbeatMs;
    const schedule = options.schedule ?? queueMicrotask;
    this.#heartbeat = new Heartbeat({
      intervalMs: this.#heartbeatMs,
      misses: heartbeatMisses,
      schedule,
      ticked: () => this.#budget.recount(),
    });
    this.#care = {
      limits: this.limits,
      budget: this.#budget,
      catchUps: new CatchUps(),
      turn: new Turn(schedule),
      heartbeat: this.#heartbeat,
      closeTimeoutMs,
      resumeMs,
      opened: (link) => this.#links.add(link),
      released: (link) => this.#release(link),
    };
    this.#away = new AwaySessions(this.#care.resumeMs);
    this.#presence = new Presence({
      rooms: this.#rooms,
      watchers: this.#watchers,
      windowMs: Math.min(this.#heartbeatMs, MAX_PRESENCE_WINDOW_MS),
      maxPlaces: 2 * this.limits.maxRoomsPerSession,
    });
    this.#router = new Router({
      registry: this.#registry,
      rooms: this.#rooms,
      watchers: this.#watchers,
      presence: this.#presence,
      limits: this.limits,
      hooks: this.#hooks,
    });
    this.#session = {
      care: this.#care,
      observer: this.#observer,
      route: (sender, command) => this.#route(sender, command),
      weigh: (sender, command) => this.#router.weigh(sender, command),
      beat: (session) => this.#beat(session),
      away: (session, ending) => this.#putAway(session, ending),
      left: (session, ending) => this.#leave(session, ending),
    };
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
    return this.#registry.size < this.limits.maxSessions || this.#standsFor(handshake) !== undefined;
  }

  /** What the relay holds now. */
  get holdings(): Holdings {
    this.#budget.recount();
    let waitingMessages = 0;
    for (const session of this.#registry) waitingMessages += session.waitingMessages;
    return {
      connections: this.#links.size,
      sessions: this.#registry.size,
      rooms: this.#rooms.size,
      watches: this.#watchers.size,
      waitingMessages,
      bufferedBytes: this.#budget.bytes,
    };
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
    const protocol = handshake.protocol ?? plain;
    const { id, resume = "", attempt } = handshake;
    const known = this.#tokens.trace(resume);
    const isTheirs = known?.protocol === protocol && (id === undefined || id === known.id);
    if (isTheirs && attempt !== undefined && attempt <= known.attempt) {
      return this.refuse(connection, CLOSE_CODES.replaced, place);
    }
    const session = isTheirs ? this.#tokens.find(resume) : undefined;
    if (session === undefined && !this.hasRoomFor(handshake)) {
      return this.refuse(connection, CLOSE_CODES.tryAgainLater, place);
    }
    if (session === undefined) return this.#begin(connection, protocol, handshake, place);
    session.attempt = attempt ?? session.attempt;
    return this.#resume(connection, session, resume, handshake, place);
  }

  /** Opens an echo on the connection: each message comes back as `res:` and the message. It has no id. */
  openEcho(connection: Connection, place: Place | undefined = this.takePlace(), client?: ClientOrigin): Link {
    if (!this.#isGood(place)) return this.refuse(connection, this.#refusal(), place);
    return new Echo(connection, this.#care, this.#observer, { place, client }).link;
  }

  /**
   * Closes a connection with the code; nothing begins with it.
   *
   * @param place Released when the socket is gone.
   */
  refuse(connection: Connection, closeCode: CloseCode, place?: Place): Link {
    const link = new Link(connection, this.#care, NOBODY, place);
    link.close(closeCode);
    return link;
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
    this.#heartbeat.stop();
    this.#presence.stop();
    for (const link of this.#links) link.close(CLOSE_CODES.goingAway);
    for (const session of [...this.#away]) session.close(CLOSE_CODES.goingAway);
    if (this.#links.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#care.closeTimeoutMs);
      this.#lastReleased = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const link of this.#links) link.terminate();
  }

  #begin(connection: Connection, protocol: Protocol, handshake: Handshake, place: Place): Link {
    const { resume, attempt, client } = handshake;
    const reclaimed = this.#reclaim(protocol, handshake);
    // The app may have cut it from a header or a URL.
    const id = handshake.id === undefined ? reclaimed?.id : owned(handshake.id);
    const old = id === undefined ? undefined : this.#registry.find(id);
    // With any other token, its client had mail of which nothing is known here.
    const knowsOld = old !== undefined && reclaimed === undefined && this.#tokens.trace(resume ?? "") === old;
    const session = new Session(id ?? this.#registry.nextId(), protocol, this.#session);
    if (old !== undefined) {
      session.inherit(old);
      old.close(CLOSE_CODES.replaced);
    }
    if (handshake.id !== undefined) {
      this.#registry.takeNames();
      if (resume !== undefined && attempt !== undefined) this.#tokens.supersede(resume, session, attempt);
    }
    if (id !== undefined && this.#idsOfLostMail.delete(id)) session.lose();
    if (reclaimed !== undefined) session.attempt = attempt ?? -1;
    session.isNamed = id !== undefined;
    const link = session.attach(connection, handshake, place);
    this.#registry.add(session);
    this.#observer.connected?.(session.id, {
      address: client?.address,
      origin: client?.origin,
      protocol: protocol.name ?? "plain",
    });
    const resumeToken = session.canResume ? this.#tokens.issue(session, reclaimed) : "";
    const isWhole = session.tellLoss() && (resume === undefined || knowsOld);
    this.#welcome(session, { resumeToken, resumed: false, recovered: isWhole });
    session.catchUp();
    this.#router.tellPresence(session, "online");
    this.#runHook(session, this.#hooks.onOpen);
    return link;
  }

  /** The session that the client goes on with, or whose id it takes over. */
  #standsFor({ id, resume = "", protocol = plain }: Handshake): Session | undefined {
    if (id !== undefined) return this.#registry.find(id);
    const session = this.#tokens.find(resume);
    return session?.protocol === protocol ? session : undefined;
  }

  /** Reads a token of an earlier process, whose id is free or was reclaimed with an earlier token of the same session. */
  #reclaim(protocol: Protocol, { id, resume, attempt }: Handshake): EarlierToken | undefined {
    if (id !== undefined || resume === undefined || !protocol.numbersMessages) return undefined;
    const token = this.#tokens.reclaim(resume, attempt);
    const holder = token && this.#registry.find(token.id);
    return holder === undefined || holder.ticket?.key === token?.key ? token : undefined;
  }

  #resume(connection: Connection, session: Session, token: string, handshake: Handshake, place: Place): Link {
    const wasAway = this.#away.remove(session);
    const link = session.attach(connection, handshake, place);
    this.#observer.resumed?.(session.id);
    const resumeToken = this.#tokens.renew(session, token);
    this.#welcome(session, { resumeToken, resumed: true, recovered: session.tellLoss() });
    const left = this.#router.leaveUngranted(session);
    session.catchUp(() => {
      for (const room of left) session.tell({ type: "presence", id: session.id, room, event: "left" });
      this.#router.tellWatched(session);
    });
    if (wasAway) this.#router.tellPresence(session, "online");
    return link;
  }

  #welcome(session: Session, told: Pick<Welcome, "resumeToken" | "resumed" | "recovered">): void {
    const { maxMessageBytes } = this.limits;
    session.tellAnyway({
      type: "welcome",
      id: session.id,
      ...told,
      heartbeatMs: this.#heartbeatMs,
      resumeMs: this.#care.resumeMs,
      limits: { maxMessageBytes, maxUnackedSends: REMEMBERED_ACKS },
    });
  }

  #route(sender: Session, command: Command): void {
    if (this.#tokens.confirm(sender)) sender.confirmLoss();
    this.#router.route(sender, command);
  }

  #beat(session: Session): void {
    if (!this.#tokens.needsRefresh(session)) return;
    session.tellAnyway({ type: "resumeToken", resumeToken: this.#tokens.refresh(session) });
  }

  #putAway(session: Session, ending: Ending): void {
    this.#away.add(session, ending);
    this.#observer.away?.(session.id, ending);
    this.#router.tellPresence(session, "offline");
    for (let first = this.#away.first; first !== undefined && this.#budget.away.isOver; first = this.#away.first) {
      if (first.isNamed && first.waitingMessages > 0) this.#rememberLoss(first.id);
      this.#away.end(first);
    }
  }

  /** Has the next session with the id told that mail for it was lost. */
  #rememberLoss(id: string): void {
    this.#idsOfLostMail.add(id);
    if (this.#idsOfLostMail.size <= MAX_IDS_OF_LOST_MAIL) return;
    for (const oldest of this.#idsOfLostMail) {
      this.#idsOfLostMail.delete(oldest);
      return;
    }
  }

  #leave(session: Session, ending: Ending): void {
    const wasAway = this.#away.remove(session);
    this.#registry.remove(session);
    this.#observer.left?.(session.id, ending);
    this.#tokens.revoke(session);
    this.#router.forget(session, wasAway);
    this.#runHook(session, this.#hooks.onClose);
  }

  #runHook(session: Session, hook: ((id: string) => unknown) | undefined): void {
    try {
      session.reportRejection(hook?.(session.id));
    } catch (error) {
      session.report(error);
    }
  }

  /** Whether a connection may begin with the place: a shutdown may have come since it was taken, or the handshake's time run out. */
  #isGood(place: Place | undefined): place is Place {
    return this.#accepting && place?.isReleased === false;
  }

  #refusal(): CloseCode {
    return this.#accepting ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.goingAway;
  }

  #release(link: Link): void {
    this.#links.delete(link);
    if (this.#links.size === 0) this.#lastReleased();
  }
}

/** Owner of a refused connection; ignores every event. */
const NOBODY: LinkOwner = {
  rate: undefined,
  received() {},
  ponged() {},
  missed() {},
  beat() {},
  ended() {},
  evicted() {},
  failed() {},
};
