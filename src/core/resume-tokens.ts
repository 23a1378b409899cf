import type { Session } from "./session.ts";

const TOKEN_BYTES = 24;

/** The tickets with which lost clients come back to their sessions: unguessable, each good once, each for one session. */
export class ResumeTokens {
  readonly #sessions = new Map<string, Session>();
  /** The token with which a session was resumed, until its client shows that it got the next one. */
  readonly #used = new Map<Session, string>();

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
    const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
    session.resumeToken = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
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

  /** None of the session's tokens is good any more. */
  revoke(session: Session): void {
    this.confirm(session);
    this.#sessions.delete(session.resumeToken);
  }
}
