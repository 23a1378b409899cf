import type { Session } from "./session.ts";

/** Makes a text's signature with a secret that nobody else has: always the same for one text, always of the same length. */
export interface TokenSigner {
  sign(text: string): string;
}

const TOKEN_BYTES = 24;
const PROCESS_BYTES = 8;
const PREFIX_CHARACTERS = 8;

/** A signed token: what cannot be guessed, which process issued it, the id, and the signature. */
const SIGNED = /^([0-9a-f]{48})([0-9a-f]{16})([A-Za-z0-9._~-]{1,64})!(.+)$/;

/** For how long a process gives ids back that the process before it gave, in milliseconds: from its start. */
const RECLAIM_MS = 300_000;

/** The tickets with which lost clients come back to their sessions: unguessable, each good once, each for one session. */
export class ResumeTokens {
  readonly #sessions = new Map<string, Session>();
  /** The token with which a session was resumed, until its client shows that it got the next one. */
  readonly #used = new Map<Session, string>();
  readonly #signer: TokenSigner | undefined;
  readonly #processMark = randomHex(PROCESS_BYTES);
  readonly #startedAt = performance.now();
  /** Tokens of earlier processes that were good once. */
  readonly #reclaimed = new Set<string>();

  /** @param signer Signs every token, so that the next process knows whose id it stands for. */
  constructor(signer?: TokenSigner) {
    this.#signer = signer;
  }

  /**
   * What the numbers of this process begin with: none of them may be an id that a client of an earlier process comes back for.
   * Empty where no id outlives the process that gave it.
   */
  get idPrefix(): string {
    return this.#signer === undefined ? "" : `${this.#processMark.slice(0, PREFIX_CHARACTERS)}-`;
  }

  /**
   * A new token for the session.
   *
   * @param resumedWith The token with which it was resumed just now. It stays good until `confirm`, because its client may
   * never see the new one; any other of the session's tokens is used up.
   */
  issue(session: Session, resumedWith?: string): string {
    this.revoke(session);
    if (resumedWith !== undefined) {
      this.#used.set(session, resumedWith);
      this.#sessions.set(resumedWith, session);
    }
    session.resumeToken = this.#make(session.id);
    this.#sessions.set(session.resumeToken, session);
    return session.resumeToken;
  }

  /**
   * A frame came over the connection that the latest token was told on: the one before is used up.
   *
   * @returns Whether there was one, and this is the first frame since the session was resumed.
   */
  confirm(session: Session): boolean {
    const used = this.#used.get(session);
    if (used === undefined) return false;
    this.#used.delete(session);
    return this.#sessions.delete(used);
  }

  /** The session that the token stands for; `undefined` where it is unknown, used up or too old. */
  find(token: string): Session | undefined {
    return this.#sessions.get(token);
  }

  /**
   * The id that a token stands for which an earlier process issued; good once, and within five minutes of this one's start.
   *
   * @returns `undefined` where it is no such token, or none are signed.
   */
  reclaim(token: string): string | undefined {
    if (this.#signer === undefined || performance.now() - this.#startedAt > RECLAIM_MS) return undefined;
    const [, secret = "", process = "", id = "", signature = ""] = SIGNED.exec(token) ?? [];
    if (id === "" || process === this.#processMark || this.#reclaimed.has(secret)) return undefined;
    if (!isSame(this.#signer.sign(secret + process + id), signature)) return undefined;
    this.#reclaimed.add(secret);
    return id;
  }

  /** None of the session's tokens is good any more. */
  revoke(session: Session): void {
    this.confirm(session);
    this.#sessions.delete(session.resumeToken);
  }

  #make(id: string): string {
    const secret = randomHex(TOKEN_BYTES);
    if (this.#signer === undefined) return secret;
    return `${secret}${this.#processMark}${id}!${this.#signer.sign(secret + this.#processMark + id)}`;
  }
}

function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

/** Compares in a time that says nothing of where two texts differ. */
function isSame(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let differences = 0;
  for (let at = 0; at < one.length; at++) differences |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return differences === 0;
}
