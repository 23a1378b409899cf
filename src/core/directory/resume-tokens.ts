import { owned } from "../protocol/owned.ts";
import type { Protocol } from "../protocol/protocol.ts";
import type { Session } from "../session/session.ts";
import { Ticket } from "../session/ticket.ts";
import { type EarlierToken, isSame, keyOf, TokenFormat, type TokenSigner } from "./token-format.ts";

/** The session that a token was issued for. */
export interface Trace {
  readonly id: string;
  readonly protocol: Protocol;
  /** The latest attempt to connect that reached it; -1 where none was counted. */
  readonly attempt: number;
}

interface EndedSession extends Trace {
  readonly issuedAt: number;
  readonly reclaimedWith: number;
  readonly endedAt: number;
}

/** How long clients of an earlier process are expected back, in milliseconds from the start of this one. */
export const RETURN_MS = 300_000;

/** How long a signed token gives its id back, in milliseconds from its issue. Clients get a new one in half the time. */
const LIFETIME_MS = 3_600_000;

/** How long after a session's end an attempt that was held up on the way is still recognized. */
const LATE_MS = 60_000;

/** Number of ended sessions that are remembered; the oldest is forgotten first. */
const ENDED_MAX = 4096;

/**
 * Issues the tokens with which clients come back to their sessions, and tells what a token stands for. A token is good
 * once. An outdated one still tells which session it was for.
 */
export class ResumeTokens {
  readonly #format: TokenFormat;
  readonly #sessions = new Map<string, Session>();
  /** Sessions that are over, by their key: those with counted attempts and those that were reclaimed. */
  readonly #ended = new Map<string, EndedSession>();
  readonly #startedAt = performance.now();

  /** @param signer Signs every token, so that the next process knows whose id it was issued for. Default: none. */
  constructor(signer?: TokenSigner) {
    this.#format = new TokenFormat(signer);
  }

  /** Stands before the numbers of this process, so that no other gives the same id. Empty where no token is signed. */
  get idPrefix(): string {
    return this.#format.idPrefix;
  }

  /**
   * Issues the first token of a session.
   *
   * @param reclaimed The token that brought its id back; later tokens of the session keep its key.
   */
  issue(session: Session, reclaimed?: EarlierToken): string {
    const key = reclaimed?.key ?? this.#newKey();
    const before = this.#ended.get(key);
    this.#ended.delete(key);
    const reclaimedWith = reclaimed?.issuedAt ?? -1;
    const issuedAt = timeAfter(Math.max(reclaimedWith, before?.issuedAt ?? -1));
    const token = this.#format.make(key, session.id, issuedAt);
    session.ticket = new Ticket({ key, token, issuedAt, reclaimedWith });
    this.#sessions.set(key, session);
    return token;
  }

  /**
   * Issues the token for the welcome of a session that was resumed.
   *
   * @param resumedWith The token that resumed it. It stays good until the client has seen its welcome, because the client may never see the
   * new one; any other of the session's tokens is used up.
   */
  renew(session: Session, resumedWith: string): string {
    if (session.ticket === undefined) return this.issue(session);
    session.ticket.markWelcomeSent();
    return this.#replaceCurrent(session, session.ticket, owned(resumedWith));
  }

  /** Whether the session's token is so old, or stamped so far ahead of the clock, that its client needs a new one. */
  needsRefresh({ ticket }: Session): boolean {
    // Until a frame comes, two tokens are good already.
    if (ticket === undefined || ticket.isWelcomeUnseen || !this.#format.isSigned) return false;
    return Math.abs(Date.now() - ticket.issuedAt) > LIFETIME_MS / 2;
  }

  /** Issues a new token in the midst of a connection. The one before stays good: the client may never see the new one. */
  refresh(session: Session): string {
    const { ticket } = session;
    return ticket === undefined ? this.issue(session) : this.#replaceCurrent(session, ticket, ticket.current);
  }

  /** Finds the session that the token opens; `undefined` where the token is unknown, used up or too old. */
  find(token: string): Session | undefined {
    const session = this.#sessions.get(keyOf(token) ?? "");
    if (session?.ticket === undefined) return undefined;
    const { current, previous } = session.ticket;
    return isSame(token, current) || isSame(token, previous) ? session : undefined;
  }

  /** Finds the session that the token was issued for, also where the token is used up or the session ended just now. */
  trace(token: string): Trace | undefined {
    const key = keyOf(token) ?? "";
    const ended = this.#ended.get(key);
    const isRecent = ended !== undefined && performance.now() - ended.endedAt <= LATE_MS;
    return this.#sessions.get(key) ?? (isRecent ? ended : undefined);
  }

  /**
   * Reads the token of an earlier process. It gives its id back once, within five minutes of this process's start and
   * within an hour of its issue, and never after a later token of the same session.
   *
   * @param attempt The client's attempt to connect: a client that never saw its welcome may repeat the token.
   * @returns `undefined` where the token gives no id.
   */
  reclaim(token: string, attempt = -1): EarlierToken | undefined {
    if (performance.now() - this.#startedAt > RETURN_MS) return undefined;
    const earlier = this.#format.readEarlier(token);
    if (earlier === undefined) return undefined;
    const age = Date.now() - earlier.issuedAt;
    if (age > LIFETIME_MS || age < -LIFETIME_MS / 2) return undefined;
    const session = this.#sessions.get(earlier.key);
    const used = session?.ticket ?? this.#ended.get(earlier.key);
    if (used === undefined || earlier.issuedAt > used.reclaimedWith) return earlier;
    const isRepeated = earlier.issuedAt === used.reclaimedWith && session?.ticket?.isWelcomeUnseen === true;
    return isRepeated && (!session.isOnline || attempt > session.attempt) ? earlier : undefined;
  }

  /** Makes the session's tokens worthless: it is over. */
  revoke({ id, protocol, attempt, ticket }: Session): void {
    if (ticket === undefined) return;
    const { key, issuedAt, reclaimedWith } = ticket;
    this.#sessions.delete(key);
    if (attempt < 0 && reclaimedWith < 0) return;
    this.#remember(key, { id, protocol, attempt, issuedAt, reclaimedWith, endedAt: performance.now() });
  }

  /**
   * Notes that a client whose token opened nothing has begun a session by an id that it proved. Its earlier attempts are
   * late from now on.
   *
   * @param token The token that it came with.
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
    if (this.#ended.size <= ENDED_MAX) return;
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

/** The time of issue after `last`: later than that, unless the clock was turned back by more than half a lifetime. */
function timeAfter(last: number): number {
  const now = Date.now();
  return last - now > LIFETIME_MS / 2 ? now : Math.max(now, last + 1);
}
