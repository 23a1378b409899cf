import type { MemoryBudget } from "../link/memory-budget.ts";

/** What one session holds of the memory budget: its mail, and its names, which are rooms, watches and what else stays with it. */
export class Account {
  readonly #budget: MemoryBudget;
  #mail = 0;
  #names = 0;
  #isAway = false;

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
    return this.#fitsAway(bytes) && this.#budget.fits(this.#mail, bytes);
  }

  /** Whether so much more mail may be kept. @param since Since when its mail waits. */
  allowsMail(bytes: number, since: number): boolean {
    if (!this.#fitsAway(bytes)) return this.#budget.refuse();
    return this.#budget.allows(this.#mail, bytes, since);
  }

  /** Whether so many more bytes of names may be kept. @param since Since when the bytes of its connection wait. */
  allowsNames(bytes: number, since: number): boolean {
    if (!this.#budget.names.fits(this.#names, bytes)) return this.#budget.refuse();
    return this.#budget.allows(this.#names, bytes, since);
  }

  /**
   * Moves all to what sessions without a connection hold.
   *
   * @param bytes What the session itself takes from now on.
   */
  goAway(bytes: number): void {
    this.#move(true);
    this.countNames(bytes);
  }

  /** Whether it holds no more of what absent clients hold than is left for the others. */
  get fitsAway(): boolean {
    const { away } = this.#budget;
    return this.#mail + this.#names <= away.max - away.bytes;
  }

  /** The opposite of `goAway`. */
  comeBack(bytes: number): void {
    this.countNames(-bytes);
    this.#move(false);
  }

  /** Gives everything back: the session is over. */
  close(): void {
    this.countMail(-this.#mail);
    this.countNames(-this.#names);
  }

  #fitsAway(bytes: number): boolean {
    return !this.#isAway || this.#budget.away.fits(this.#mail + this.#names, bytes);
  }

  #move(away: boolean): void {
    if (this.#isAway === away) return;
    const sign = away ? 1 : -1;
    this.#isAway = away;
    this.#budget.away.bytes += sign * (this.#mail + this.#names);
    this.#budget.names.bytes -= sign * this.#names;
  }
}
