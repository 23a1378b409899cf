import { owned } from "../protocol/owned.ts";
import type { Protocol } from "../protocol/protocol.ts";
import type { Session } from "../session/session.ts";
import { Ticket } from "../session/ticket.ts";
import { type EarlierToken, isSame, keyOf, TokenFormat, type TokenSigner } from "./token-format.ts";

/** The session that a token was issued for; it may have ended. */
export interface TracedSession {
  readonly id: string;
  readonly protocol: Protocol;
  /** Number of the latest attempt to connect that reached the session; -1 if the client does not number them. */
  readonly attempt: number;
}

interface EndedSession extends TracedSession {
  /** Time of issue of its last token, in milliseconds since 1970; -1 if it had none. */
  readonly issuedAt: number;
  /** Time of issue of the token that reclaimed its id, in milliseconds since 1970; -1 if none did. */
  readonly reclaimedWith: number;
  /** By `performance.now()`. */
  readonly endedAt: number;
}

/** Time from the start of this process in which clients of an earlier one may reclaim their ids, in milliseconds. */
export const RETURN_MS = 300_000;

/** Lifetime of a signed token, in milliseconds from its issue. Clients get a new token after half of it. */
const LIFETIME_MS = 3_600_000;

/** Time after a session's end in which a delayed attempt to connect is still recognized, in milliseconds. */
const LATE_MS = 60_000;

/** Number of ended sessions that are remembered. The oldest is forgotten first. */
const MAX_ENDED = 4096;

/**
 * Issues the tokens with which clients resume their sessions, and finds the session of a token. A token is valid once.
 * A token that is no longer valid still identifies its session, for `trace`.
 */
export class ResumeTokens {
  readonly #format: TokenFormat;
  /** Sessions by their key, with which each of their tokens starts. */
  readonly #sessions = new Map<string, Session>();
  /** Ended sessions by their key: those whose attempts were numbered, and those whose id was reclaimed. */
  readonly #ended = new Map<string, EndedSession>();
  readonly #startedAt = performance.now();

  /** @param signer Signs every token, so that clients can reclaim their ids from the next process. Default: none. */
  constructor(signer?: TokenSigner) {
    this.#format = new TokenFormat(signer);
  }

  /** Prefix of this process's sequential ids: no other process gives the same ids. Empty if tokens are not signed. */
  get idPrefix(): string {
    return this.#format.idPrefix;
  }

  /**
   * Issues the first token of a session.
   *
   * @param reclaimed The earlier process's token that reclaimed the session's id. The new tokens keep its key.
   */
  issue(session: Session, reclaimed?: EarlierToken): string {
    const key = reclaimed?.key ?? this.#newKey();
    const endedSession = this.#ended.get(key);
    this.#ended.delete(key);
    const reclaimedWith = reclaimed?.issuedAt ?? -1;
    const issuedAt = timeAfter(Math.max(reclaimedWith, endedSession?.issuedAt ?? -1));
    const token = this.#format.make(key, session.id, issuedAt);
    session.ticket = new Ticket({ key, token, issuedAt, reclaimedWith });
    this.#sessions.set(key, session);
    return token;
  }

  /**
   * Issues the token for the welcome of a resumed session.
   *
   * @param resumedWith The token that resumed the session. It stays valid until the client has seen its welcome, as the
   * client may never receive the new one. All other tokens of the session are used up.
   */
  replaceOnResume(session: Session, resumedWith: string): string {
    if (session.ticket === undefined) return this.issue(session);
    session.ticket.markWelcomeSent();
    return this.#replaceCurrent(session, session.ticket, owned(resumedWith));
  }

  /** Whether the client needs a new token, as its token is old, or the clock was turned back far behind its issue. */
  needsReplacement({ ticket }: Session): boolean {
    // Until the client has seen its welcome, two tokens are valid already; a third would end the first.
    if (ticket === undefined || ticket.isWelcomeUnseen || !this.#format.isSigned) return false;
    return Math.abs(Date.now() - ticket.issuedAt) > LIFETIME_MS / 2;
  }

  /** Issues a new token during a connection. The one before stays valid: the client may never receive the new one. */
  replaceWhileOnline(session: Session): string {
    const { ticket } = session;
    return ticket === undefined ? this.issue(session) : this.#replaceCurrent(session, ticket, ticket.current);
  }

  /** Returns the session that the token may resume; `undefined` if the token is not valid. */
  find(token: string): Session | undefined {
    const session = this.#sessions.get(keyOf(token) ?? "");
    if (session?.ticket === undefined) return undefined;
    const { current, previous } = session.ticket;
    return isSame(token, current) || isSame(token, previous) ? session : undefined;
  }

  /** Returns the session that the token was issued for, even if the token is used up or the session ended recently. */
  trace(token: string): TracedSession | undefined {
    const key = keyOf(token) ?? "";
    const ended = this.#ended.get(key);
    const isRecent = ended !== undefined && performance.now() - ended.endedAt <= LATE_MS;
    return this.#sessions.get(key) ?? (isRecent ? ended : undefined);
  }

  /**
   * Decodes the token of an earlier process. It reclaims its id once, within five minutes of this process's start and
   * within an hour of its issue, and never after a later token of the same session.
   *
   * @param attempt Number of the client's attempt to connect. A client that never saw its welcome may repeat the token.
   * @returns `undefined` if the token does not reclaim an id.
   */
  readReclaimable(token: string, attempt = -1): EarlierToken | undefined {
    if (performance.now() - this.#startedAt > RETURN_MS) return undefined;
    const earlier = this.#format.readEarlier(token);
    if (earlier === undefined) return undefined;
    const age = Date.now() - earlier.issuedAt;
    if (age > LIFETIME_MS || age < -LIFETIME_MS / 2) return undefined;
    const session = this.#sessions.get(earlier.key);
    const lastReclaim = session?.ticket ?? this.#ended.get(earlier.key);
    if (lastReclaim === undefined || earlier.issuedAt > lastReclaim.reclaimedWith) return earlier;
    // The same token again is good only for a client that never saw its welcome.
    const isRepeated = earlier.issuedAt === lastReclaim.reclaimedWith && session?.ticket?.isWelcomeUnseen === true;
    return isRepeated && (!session.isOnline || attempt > session.attempt) ? earlier : undefined;
  }

  /** Invalidates the tokens of a session that has ended. */
  revoke({ id, protocol, attempt, ticket }: Session): void {
    if (ticket === undefined) return;
    const { key, issuedAt, reclaimedWith } = ticket;
    this.#sessions.delete(key);
    if (attempt < 0 && reclaimedWith < 0) return;
    this.#remember(key, { id, protocol, attempt, issuedAt, reclaimedWith, endedAt: performance.now() });
  }

  /**
   * Notes that a client began a new session with an id from the app, and that its token resumed nothing. After this,
   * the client's earlier attempts to connect with the token count as late.
   *
   * @param token The token that the client sent.
   */
  supersede(token: string, { id, protocol }: Session, attempt: number): void {
    const key = keyOf(token);
    if (key === undefined || this.#sessions.has(key)) return;
    const { issuedAt = -1, reclaimedWith = -1 } = this.#ended.get(key) ?? {};
    this.#remember(key, { id, protocol, attempt, issuedAt, reclaimedWith, endedAt: performance.now() });
  }

  #replaceCurrent(session: Session, ticket: Ticket, previous: string): string {
    const issuedAt = timeAfter(ticket.issuedAt);
    const token = this.#format.make(ticket.key, session.id, issuedAt);
    ticket.replace(token, issuedAt, previous);
    return token;
  }

  #remember(key: string, ended: EndedSession): void {
    this.#ended.delete(key);
    this.#ended.set(key, ended);
    if (this.#ended.size <= MAX_ENDED) return;
    for (const oldest of this.#ended.keys()) {
      this.#ended.delete(oldest);
      return;
    }
  }

  #newKey(): string {
    let key: string;
    do key = this.#format.newKey();
    while (this.#sessions.has(key));
    return key;
  }
}

/** Returns a time of issue later than `last`, unless the clock was turned back by more than half a lifetime. */
function timeAfter(last: number): number {
  const now = Date.now();
  return last - now > LIFETIME_MS / 2 ? now : Math.max(now, last + 1);
}
