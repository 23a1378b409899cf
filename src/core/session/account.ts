import type { MemoryBudget } from "../link/memory-budget.ts";

/** What a session without a connection takes, in counted bytes: itself, its tokens and its places in the relay. */
const AWAY_BYTES = 1536;

/** What each outcome that it remembers takes, in counted bytes. */
const OUTCOME_BYTES = 6;

/** What one session holds of the memory budget: its mail, and its names, which are rooms, watches and what else stays with it. */
export class Account {
  readonly #budget: MemoryBudget;
  #mail = 0;
  #names = 0;
  /** What the session itself takes while it is away; 0 while it has a connection. */
  #awayBytes = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Adds bytes of mail, or takes them off where they are negative. */
  countMail(bytes: number): void {
    this.#mail += bytes;
    this.#budget.count(bytes);
    if (this.#isAway) this.#budget.away.bytes += bytes;
  }

  /** The same for names. */
  countNames(bytes: number): void {
    this.#names += bytes;
    this.#budget.count(bytes);
    (this.#isAway ? this.#budget.away : this.#budget.names).bytes += bytes;
  }

  /** Whether so much more mail may be kept without anybody giving way. */
  fitsMail(bytes: number): boolean {
    return this.#fitsAway(bytes) && this.#budget.hasRoomFor(this.#mail, bytes);
  }

  /** Whether so much more mail may be kept. @param since Since when its mail waits. */
  allowsMail(bytes: number, since: number): boolean {
    if (!this.#fitsAway(bytes)) return this.#budget.countRefusal();
    return this.#budget.makeRoomFor(this.#mail, bytes, since);
  }

  /** Whether so many more bytes of names may be kept. @param since Since when the bytes of its connection wait. */
  allowsNames(bytes: number, since: number): boolean {
    if (!this.#budget.names.hasRoomFor(this.#names, bytes)) return this.#budget.countRefusal();
    return this.#budget.makeRoomFor(this.#names, bytes, since);
  }

  /**
   * Moves all to what sessions without a connection hold. Harmless when repeated.
   *
   * @param outcomes Number of outcomes that the session remembers.
   * @returns Whether it was not away before.
   */
  goAway(outcomes: number): boolean {
    if (this.#isAway) return false;
    this.#awayBytes = AWAY_BYTES + OUTCOME_BYTES * outcomes;
    this.#move(1);
    this.countNames(this.#awayBytes);
    return true;
  }

  /** Whether it holds no more of what absent clients hold than is left for the others. */
  get fitsAway(): boolean {
    const { away } = this.#budget;
    return this.#mail + this.#names <= away.max - away.bytes;
  }

  /** Moves all back: the session has a connection. Harmless when repeated. */
  comeBack(): void {
    if (!this.#isAway) return;
    this.countNames(-this.#awayBytes);
    this.#move(-1);
    this.#awayBytes = 0;
  }

  /** Gives everything back: the session is over. */
  close(): void {
    this.countMail(-this.#mail);
    this.countNames(-this.#names);
  }

  get #isAway(): boolean {
    return this.#awayBytes > 0;
  }

  #fitsAway(bytes: number): boolean {
    return !this.#isAway || this.#budget.away.hasRoomFor(this.#mail + this.#names, bytes);
  }

  #move(sign: 1 | -1): void {
    this.#budget.away.bytes += sign * (this.#mail + this.#names);
    this.#budget.names.bytes -= sign * this.#names;
  }
}
