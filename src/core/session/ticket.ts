export interface TicketOptions {
  readonly key: string;
  readonly token: string;
  readonly issuedAt: number;
  readonly reclaimedWith: number;
}

/** The resume tokens that are good for one session. `ResumeTokens` issues them. */
export class Ticket {
  /** Begins each of the session's tokens. */
  readonly key: string;
  /** Time of issue of the earlier process's token that brought the id back; -1 where none did. */
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

  /** The token that the client was told last. */
  get current(): string {
    return this.#current;
  }

  /** The token before it, while the client may not know the current one; empty otherwise. */
  get previous(): string {
    return this.#previous;
  }

  /** Time of issue of the current token, in milliseconds since 1970. */
  get issuedAt(): number {
    return this.#issuedAt;
  }

  /** Whether no frame came since the latest welcome. */
  get isWelcomeUnseen(): boolean {
    return this.#isWelcomeUnseen;
  }

  /** Puts a new token in place of the current one. @param previous Token that stays good beside it. */
  replace(token: string, issuedAt: number, previous: string): void {
    this.#current = token;
    this.#issuedAt = issuedAt;
    this.#previous = previous;
  }

  /** Notes that the client is sent a welcome: until `confirm`, the token that it connected with stays good. */
  welcome(): void {
    this.#isWelcomeUnseen = true;
  }

  /**
   * Notes that the client has seen its welcome: the token that it connected with is used up.
   *
   * @returns Whether this is the first frame since that welcome.
   */
  confirm(): boolean {
    if (!this.#isWelcomeUnseen) return false;
    this.#isWelcomeUnseen = false;
    this.#previous = "";
    return true;
  }
}
