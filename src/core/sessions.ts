import { AwaySessions } from "./directory/away-sessions.ts";
import { Presence } from "./directory/presence.ts";
import { Registry } from "./directory/registry.ts";
import { ResumeTokens } from "./directory/resume-tokens.ts";
import { Rooms } from "./directory/rooms.ts";
import type { EarlierToken } from "./directory/token-format.ts";
import { Watchers } from "./directory/watchers.ts";
import { Hooks } from "./hooks.ts";
import { CLOSE_CODES, type CloseCode } from "./link/close-codes.ts";
import type { Connection } from "./link/connection.ts";
import type { Ending } from "./link/ending.ts";
import { REMEMBERED_ACKS } from "./link/limits.ts";
import type { Link } from "./link/link.ts";
import type { Links } from "./link/links.ts";
import type { Place } from "./link/places.ts";
import { Membership } from "./membership.ts";
import { owned } from "./protocol/owned.ts";
import { plain } from "./protocol/plain.ts";
import { PROTOCOL_NAMES, type Protocol, type ProtocolName, type Welcome } from "./protocol/protocol.ts";
import type { Handshake, RelayOptions } from "./relay-options.ts";
import { Router } from "./router.ts";
import type { Holdings } from "./server-api.ts";
import { ServerCommands } from "./server-commands.ts";
import { CatchUps } from "./session/catch-up.ts";
import { CloseCounts, MessageCounts } from "./session/counters.ts";
import { FrameTimer } from "./session/frame-timer.ts";
import type { RelayObserver } from "./session/observer.ts";
import { Session, type SessionContext } from "./session/session.ts";

export interface SessionsOptions extends Pick<RelayOptions, "ids" | "signer" | "hooks"> {
  readonly links: Links;
  readonly observer: RelayObserver;
  readonly heartbeatMs: number;
  readonly resumeMs: number;
}

/** Longest window in which changes of presence are coalesced. It is no longer than a beat. */
const MAX_PRESENCE_WINDOW_MS = 5000;

/** Ids that are remembered because their mail was dropped. The oldest is forgotten first. */
const MAX_IDS_OF_LOST_MAIL = 4096;

/** All sessions of a relay: begins them, resumes them after a lost connection, and ends them. */
export class Sessions implements SessionContext {
  readonly links: Links;
  readonly catchUps = new CatchUps();
  resumeMs: number;
  readonly observer: RelayObserver;
  readonly router: Router;
  /** Carries out the commands of the server's code. */
  readonly server: ServerCommands;
  readonly #startedAt = performance.now();
  readonly closes = new CloseCounts();
  readonly frameTimer: FrameTimer | undefined;
  readonly #counts = new Map<ProtocolName, MessageCounts>();
  readonly #heartbeatMs: number;
  readonly #hooks: Hooks;
  readonly #registry: Registry;
  readonly #rooms = new Rooms();
  readonly #watchers = new Watchers();
  readonly #presence: Presence;
  readonly #membership: Membership;
  readonly #tokens: ResumeTokens;
  readonly #away: AwaySessions;
  /** Named ids whose mail was dropped for lack of memory. The next session with the id reports that. */
  readonly #idsOfLostMail = new Set<string>();

  constructor({ links, observer, hooks, heartbeatMs, resumeMs, ids, signer }: SessionsOptions) {
    const { limits } = links;
    this.links = links;
    this.resumeMs = resumeMs;
    this.observer = observer;
    const { handled } = observer;
    this.frameTimer = handled && new FrameTimer(handled);
    this.#heartbeatMs = heartbeatMs;
    this.#hooks = new Hooks(hooks, limits.maxMessageBytes);
    this.#tokens = new ResumeTokens(signer);
    this.#registry = new Registry(ids, this.#tokens.idPrefix);
    this.#away = new AwaySessions(resumeMs);
    this.#presence = new Presence({
      rooms: this.#rooms,
      watchers: this.#watchers,
      windowMs: Math.min(heartbeatMs, MAX_PRESENCE_WINDOW_MS),
      maxOpenWindows: 2 * limits.maxRoomsPerSession,
    });
    const parts = { registry: this.#registry, rooms: this.#rooms };
    this.#membership = new Membership({
      ...parts,
      hooks: this.#hooks,
      observer,
      watchers: this.#watchers,
      presence: this.#presence,
      limits,
    });
    this.router = new Router({ ...parts, membership: this.#membership, hooks: this.#hooks });
    for (const name of PROTOCOL_NAMES) this.#counts.set(name, new MessageCounts());
    this.server = new ServerCommands({
      ...parts,
      membership: this.#membership,
      away: this.#away,
      links,
      counts: this.#counts,
      closes: this.closes,
      uptimeOf: (time) => time - this.#startedAt,
      holdings: () => this.holdings,
    });
  }

  get uptimeMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  countsOf(protocol: Protocol): MessageCounts {
    return this.#counts.get(protocol.name ?? "plain") as MessageCounts; // The constructor sets one for each name.
  }

  /** Whether a client with this handshake gets a session: an existing one, or a new one within `maxSessions`. */
  hasRoomFor(handshake: Handshake): boolean {
    return this.#registry.size < this.links.limits.maxSessions || this.#existingFor(handshake) !== undefined;
  }

  /** Numbers of the things that the relay holds. */
  get holdings(): Holdings {
    this.links.budget.recount();
    let waitingMessages = 0;
    for (const session of this.#registry) waitingMessages += session.waitingMessages;
    return {
      connections: this.links.size,
      sessions: this.#registry.size,
      rooms: this.#rooms.size,
      watches: this.#watchers.size,
      waitingMessages,
      bufferedBytes: this.links.budget.bytes,
    };
  }

  /** Begins a session over the connection, or resumes the one that the client's token names. */
  open(connection: Connection, handshake: Handshake, place: Place): Link {
    const { id, resume = "", attempt, protocol = plain } = handshake;
    // The trace says whose token it is, also when it is used up; `find` below whether it still resumes the session.
    const traced = this.#tokens.trace(resume);
    const isSameClient = traced?.protocol === protocol && (id === undefined || id === traced.id);
    if (isSameClient && attempt !== undefined && attempt <= traced.attempt) {
      return this.links.refuse(connection, CLOSE_CODES.replaced, place);
    }
    const session = isSameClient ? this.#tokens.find(resume) : undefined;
    if (session === undefined && !this.hasRoomFor(handshake)) {
      return this.links.refuse(connection, CLOSE_CODES.tryAgainLater, place);
    }
    if (session === undefined) return this.#begin(connection, protocol, handshake, place);
    session.recordAttempt(attempt);
    return this.#resume(connection, session, resume, handshake, place);
  }

  /** Stops the timer of presence, as the relay shuts down. Later changes are announced immediately. */
  stopPresenceTimer(): void {
    this.#presence.stop();
  }

  /** Ends the sessions that have no connection. From now on a session ends with its connection. */
  closeAway(closeCode: CloseCode): void {
    this.resumeMs = 0;
    for (const session of [...this.#away]) session.close(closeCode);
  }

  onBeat(session: Session): void {
    if (!this.#tokens.needsReplacement(session)) return;
    session.tellUnchecked({ type: "resumeToken", resumeToken: this.#tokens.replaceWhileOnline(session) });
  }

  onAway(session: Session, ending: Ending): void {
    this.#away.add(session, ending);
    this.observer.away?.(session.id, ending);
    this.#hooks.onAway(session, ending);
    this.#membership.announcePresence(session, "offline");
    while (this.links.budget.away.isOverLimit) {
      const longestAway = this.#away.longestAway;
      if (longestAway === undefined) return;
      if (longestAway.isNamed && longestAway.waitingMessages > 0) this.#rememberLoss(longestAway.id);
      this.#away.endEarly(longestAway);
    }
  }

  onEnd(session: Session, ending: Ending): void {
    const wasAway = this.#away.remove(session);
    this.#registry.remove(session);
    this.router.forget(session);
    this.observer.left?.(session.id, ending);
    this.#tokens.revoke(session);
    this.#membership.removeEnded(session, wasAway);
    this.#hooks.onClose(session, ending);
  }

  #begin(connection: Connection, protocol: Protocol, handshake: Handshake, place: Place): Link {
    const { resume, attempt, client } = handshake;
    const reclaimed = this.#reclaim(protocol, handshake);
    // The app may have cut the id from a header or a URL.
    const id = handshake.id === undefined ? reclaimed?.id : owned(handshake.id);
    const old = id === undefined ? undefined : this.#registry.find(id);
    // A client with a token expects the mail of the token's session. It gets that mail only if the session is `old`.
    const isTokenOfOld = old !== undefined && reclaimed === undefined && this.#tokens.trace(resume ?? "") === old;
    const session = new Session(id ?? this.#registry.nextId(), protocol, this);
    if (old !== undefined) {
      session.takeOver(old);
      old.close(CLOSE_CODES.replaced);
    }
    if (handshake.id !== undefined) {
      this.#registry.markNamesInUse();
      if (resume !== undefined && attempt !== undefined) this.#tokens.supersede(resume, session, attempt);
    }
    if (id !== undefined && this.#idsOfLostMail.delete(id)) session.countLoss();
    if (reclaimed !== undefined) session.recordAttempt(attempt);
    session.isNamed = id !== undefined;
    session.address = ownedAddress(handshake);
    const link = session.attach(connection, handshake, place);
    this.#registry.add(session);
    this.observer.connected?.(session.id, {
      address: client?.address,
      origin: client?.origin,
      protocol: protocol.name ?? "plain",
      handshakeMs: client?.requestedAt === undefined ? undefined : performance.now() - client.requestedAt,
    });
    const resumeToken = session.canResume ? this.#tokens.issue(session, reclaimed) : "";
    const isRecovered = !session.hasUnseenLoss && (resume === undefined || isTokenOfOld);
    this.#welcome(session, { resumeToken, resumed: false, recovered: isRecovered });
    session.catchUp();
    this.#membership.announcePresence(session, "online");
    this.#hooks.onOpen(session);
    return link;
  }

  /** Returns the session that the client resumes, or whose id it takes over. */
  #existingFor({ id, resume = "", protocol = plain }: Handshake): Session | undefined {
    if (id !== undefined) return this.#registry.find(id);
    const session = this.#tokens.find(resume);
    return session?.protocol === protocol ? session : undefined;
  }

  /**
   * Decodes a token of an earlier process, if its id is free or was reclaimed with another token of the same session.
   */
  #reclaim(protocol: Protocol, { id, resume, attempt }: Handshake): EarlierToken | undefined {
    if (id !== undefined || resume === undefined || !protocol.numbersMessages) return undefined;
    const token = this.#tokens.readReclaimable(resume, attempt);
    const holder = token && this.#registry.find(token.id);
    return holder === undefined || holder.ticket?.key === token?.key ? token : undefined;
  }

  #resume(connection: Connection, session: Session, token: string, handshake: Handshake, place: Place): Link {
    const wasAway = this.#away.remove(session);
    session.address = ownedAddress(handshake);
    const link = session.attach(connection, handshake, place);
    this.observer.resumed?.(session.id, wasAway);
    const resumeToken = this.#tokens.replaceOnResume(session, token);
    this.#welcome(session, { resumeToken, resumed: true, recovered: !session.hasUnseenLoss });
    const leftRooms = this.#membership.leaveUngranted(session);
    session.catchUp(() => {
      for (const room of leftRooms) session.tell({ type: "presence", id: session.id, room, event: "left" });
      this.#membership.tellServerRooms(session);
      this.#membership.tellWatched(session);
    });
    if (!wasAway) return link;
    this.#membership.announcePresence(session, "online");
    this.#hooks.onBack(session);
    return link;
  }

  #welcome(session: Session, status: Pick<Welcome, "resumeToken" | "resumed" | "recovered">): void {
    const { maxMessageBytes } = this.links.limits;
    session.welcome({
      type: "welcome",
      id: session.id,
      ...status,
      heartbeatMs: this.#heartbeatMs,
      resumeMs: this.resumeMs,
      limits: { maxMessageBytes, maxUnackedSends: REMEMBERED_ACKS },
    });
  }

  /** Remembers that mail of the id was lost, for the next session with the id. */
  #rememberLoss(id: string): void {
    this.#idsOfLostMail.add(id);
    if (this.#idsOfLostMail.size <= MAX_IDS_OF_LOST_MAIL) return;
    for (const oldest of this.#idsOfLostMail) {
      this.#idsOfLostMail.delete(oldest);
      return;
    }
  }
}

/** Returns a copy of the client's address, which may have been cut from a header. */
function ownedAddress({ client }: Handshake): string | undefined {
  return client?.address === undefined ? undefined : owned(client.address);
}
