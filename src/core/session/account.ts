import type { MemoryBudget } from "../link/memory-budget.ts";

/** Counted bytes of a session without a connection: the session itself, its tokens and its entries in the directory. */
const AWAY_BYTES = 1536;

/** Counted bytes of each remembered outcome. */
const OUTCOME_BYTES = 6;

/** One session's part of the memory budget: its mail, and its names, which are its rooms and watches. */
export class Account {
  readonly #budget: MemoryBudget;
  #mailBytes = 0;
  #nameBytes = 0;
  /** Bytes of the session itself, part of `#nameBytes` while it is away; 0 while it has a connection. */
  #awayBytes = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Adds bytes of mail; a negative number takes them off. */
  countMail(bytes: number): void {
    this.#mailBytes += bytes;
    this.#budget.count(bytes);
    if (this.#isAway) this.#budget.away.bytes += bytes;
  }

  /** Adds bytes of names; a negative number takes them off. */
  countNames(bytes: number): void {
    this.#nameBytes += bytes;
    this.#budget.count(bytes);
    (this.#isAway ? this.#budget.away : this.#budget.names).bytes += bytes;
  }

  /** Whether the session may keep more bytes of mail without an eviction. */
  hasRoomForMail(bytes: number): boolean {
    return this.#hasRoomWhileAway(bytes) && this.#budget.hasRoomFor(this.#mailBytes, bytes);
  }

  /**
   * Makes room for bytes of mail; slower connections may be evicted.
   *
   * @param since Time since which the session's own bytes wait, by `performance.now()`.
   * @returns Whether the session may keep the bytes.
   */
  makeRoomForMail(bytes: number, since: number): boolean {
    if (!this.#hasRoomWhileAway(bytes)) return this.#budget.countRefusal();
    return this.#budget.makeRoomFor(this.#mailBytes, bytes, since);
  }

  /**
   * Makes room for bytes of names; slower connections may be evicted.
   *
   * @param since Time since which the bytes of its connection wait, by `performance.now()`.
   * @returns Whether the session may keep the bytes.
   */
  makeRoomForNames(bytes: number, since: number): boolean {
    const hasRoom = this.#isAway
      ? this.#hasRoomWhileAway(bytes)
      : this.#budget.names.hasRoomFor(this.#nameBytes, bytes);
    if (!hasRoom) return this.#budget.countRefusal();
    return this.#budget.makeRoomFor(this.#nameBytes, bytes, since);
  }

  /**
   * Moves all bytes to the pool of sessions without a connection. Harmless when repeated.
   *
   * @param outcomes Number of outcomes that the session remembers.
   * @returns Whether the session had a connection before.
   */
  moveToAway(outcomes: number): boolean {
    if (this.#isAway) return false;
    this.#awayBytes = AWAY_BYTES + OUTCOME_BYTES * outcomes;
    this.#movePools(1);
    this.countNames(this.#awayBytes);
    return true;
  }

  /** Whether the session holds no more of the pool of absent sessions than is left for the others. */
  get isWithinAwayPool(): boolean {
    const { away } = this.#budget;
    return this.#mailBytes + this.#nameBytes <= away.max - away.bytes;
  }

  /** Moves all bytes back, as the session has a connection. Harmless when repeated. */
  moveToOnline(): void {
    if (!this.#isAway) return;
    this.countNames(-this.#awayBytes);
    this.#movePools(-1);
    this.#awayBytes = 0;
  }

  /** Gives all bytes back, as the session has ended. */
  release(): void {
    this.countMail(-this.#mailBytes);
    this.countNames(-this.#nameBytes);
  }

  get #isAway(): boolean {
    return this.#awayBytes > 0;
  }

  #hasRoomWhileAway(bytes: number): boolean {
    return !this.#isAway || this.#budget.away.hasRoomFor(this.#mailBytes + this.#nameBytes, bytes);
  }

  #movePools(sign: 1 | -1): void {
    this.#budget.away.bytes += sign * (this.#mailBytes + this.#nameBytes);
    this.#budget.names.bytes -= sign * this.#nameBytes;
  }
}
