export interface TicketOptions {
  readonly key: string;
  readonly token: string;
  readonly issuedAt: number;
  readonly reclaimedWith: number;
}

/** The valid resume tokens of one session. `ResumeTokens` issues them. */
export class Ticket {
  /** Start of each of the session's tokens. */
  readonly key: string;
  /** Time of issue of the earlier process's token that reclaimed the id, in milliseconds since 1970; -1 if none did. */
  readonly reclaimedWith: number;
  #current: string;
  #previous = "";
  #issuedAt: number;
  #isWelcomeUnseen = true;

  constructor({ key, token, issuedAt, reclaimedWith }: TicketOptions) {
    this.key = key;
    this.reclaimedWith = reclaimedWith;
    this.#current = token;
    this.#issuedAt = issuedAt;
  }

  /** The token that was sent to the client last. */
  get current(): string {
    return this.#current;
  }

  /** The token before the current one, as long as the client may not know the current one; empty otherwise. */
  get previous(): string {
    return this.#previous;
  }

  /** Time of issue of the current token, in milliseconds since 1970. */
  get issuedAt(): number {
    return this.#issuedAt;
  }

  /** Whether no frame came since the latest welcome, so that the client may not have seen it. */
  get isWelcomeUnseen(): boolean {
    return this.#isWelcomeUnseen;
  }

  /** Replaces the current token. @param previous Token that stays valid with the new one. */
  replace(token: string, issuedAt: number, previous: string): void {
    this.#current = token;
    this.#issuedAt = issuedAt;
    this.#previous = previous;
  }

  /**
   * Notes that a welcome is sent. The token that the client connected with stays valid until the client has seen it.
   */
  markWelcomeSent(): void {
    this.#isWelcomeUnseen = true;
  }

  /**
   * Notes that the client has seen its welcome. The token that it connected with is used up.
   *
   * @returns Whether this is the first call since that welcome.
   */
  markWelcomeSeen(): boolean {
    if (!this.#isWelcomeUnseen) return false;
    this.#isWelcomeUnseen = false;
    this.#previous = "";
    return true;
  }
}
