import type { Limits } from "./limits.ts";

/**
 * Process memory that one counted byte stands for: the byte itself, its copy in a runtime's write buffer, characters that take two bytes,
 * and what passed before it and is not collected yet.
 */
const COST = 4;

/** Age of the sum, in milliseconds, from which it is counted again before anything is refused. */
const STALE_MS = 10;

/** Time that a backlog may wait, in milliseconds, before its owner can be closed for somebody else's sake. */
export const GRACE_MS = 1000;

/**
 * Part of the budget that is left to owners that hold little: messages to clients that read, and acks, for want of which
 * a client is closed.
 */
const LITTLE_SHARE = 1 / 8;

/** What an owner of that part may hold, in bytes. */
const LITTLE_BYTES = 16_384;

/** Part of its time that a relay without memory may spend on finding out who holds it. */
const SEARCH_SHARE = 0.1;

/** Bytes in the hands of a runtime, which shrink without notice as the operating system takes them. */
export interface Backlog {
  /** Asks the runtime what is left, and counts the difference. */
  recount(): void;
}

/** A connection that holds memory, and can be made to give it back. */
export interface Holder {
  /** Whether it holds messages that nobody was promised. */
  readonly hasSpare: boolean;
  /** Drops messages that nobody was promised. */
  dropSpare(): void;
  /** Since when the oldest byte that it holds waits, by `performance.now()`; `Infinity` where it holds nothing, 0 where it is closing. */
  readonly waitingSince: number;
  /** Closes the connection, so that its bytes go. Tells nobody before this turn's work is done. */
  evict(): void;
}

/** A part of the budget with a bound of its own, shared by the dynamic threshold: nobody may have more of it than is left for the others. */
export class Pool {
  readonly max: number;
  bytes = 0;

  constructor(max: number) {
    this.max = max;
  }

  get isOver(): boolean {
    return this.bytes > this.max;
  }

  /** Whether an owner that holds `held` bytes of the pool may have `more`. */
  fits(held: number, more: number): boolean {
    return held + more <= this.max - this.bytes;
  }
}

/**
 * All memory that strangers can make one relay hold, in counted bytes; each stands for four bytes of the process.
 *
 * An owner may hold as much as is left for the others (the dynamic threshold of shared-memory switches): 2,000 receivers that have stopped
 * reading share the bound evenly, and leave as much free as each has. Sessions that are away share a half, and the rooms and watches of
 * those that are online a quarter. Where a connection has no room although it reads, the budget takes it from those that do not: first
 * messages that nobody was promised, then the connections whose backlogs have waited longest.
 */
export class MemoryBudget {
  /** What sessions without a connection hold. */
  readonly away: Pool;
  /** Rooms and watches of sessions with a connection. */
  readonly names: Pool;
  /** Incomplete messages of all clients, as far as they may go over the budget for a moment. */
  readonly incoming: Pool;
  readonly #max: number;
  /** What is there for owners that hold more than a little. */
  readonly #commonMax: number;
  readonly #holders: () => Iterable<Holder>;
  readonly #backlogs = new Set<Backlog>();
  #bytes = 0;
  #countedAt = 0;
  #refusals = 0;
  /** From the latest search, the best to take from last. */
  #spare: Holder[] = [];
  #stalled: Holder[] = [];
  #searchAt = 0;

  /** @param holders Every open connection. */
  constructor(limits: Pick<Limits, "maxTotalBufferedBytes">, holders: () => Iterable<Holder> = () => []) {
    this.#max = limits.maxTotalBufferedBytes / COST;
    this.#commonMax = this.#max * (1 - LITTLE_SHARE);
    this.away = new Pool(this.#max / 2);
    this.names = new Pool(this.#max / 4);
    this.incoming = new Pool(this.#max / 2);
    this.#holders = holders;
  }

  /** All that is held, in counted bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How often something was refused for want of memory. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Adds bytes to the sum, or takes them off where they are negative. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Has the backlog counted again from time to time. */
  watch(backlog: Backlog): void {
    this.#backlogs.add(backlog);
  }

  unwatch(backlog: Backlog): void {
    this.#backlogs.delete(backlog);
  }

  /** Whether an owner that holds `held` bytes may have `more` without anybody giving way. */
  fits(held: number, more: number): boolean {
    const wanted = held + more;
    if (this.#hasLeft(wanted)) return true;
    if (performance.now() - this.#countedAt < STALE_MS) return false;
    this.recount();
    return this.#hasLeft(wanted);
  }

  /**
   * Whether an owner that holds `held` bytes may have `more`. Others give way where they have let their bytes wait for
   * longer.
   *
   * @param since Since when the owner's own bytes wait; `Infinity` where it has none. An owner never gives way to itself.
   */
  allows(held: number, more: number, since: number): boolean {
    if (this.fits(held, more) || this.#takeFor(held + more, since)) return true;
    this.#refusals++;
    return false;
  }

  /** Says that something was refused for want of a pool's bytes. */
  refuse(): false {
    this.#refusals++;
    return false;
  }

  /** Counts the backlogs again. */
  recount(): void {
    this.#countedAt = performance.now();
    for (const backlog of this.#backlogs) backlog.recount();
  }

  #hasLeft(wanted: number): boolean {
    return wanted <= this.#maxFor(wanted) - this.#bytes;
  }

  #maxFor(wanted: number): number {
    return wanted <= LITTLE_BYTES ? this.#max : this.#commonMax;
  }

  /** Takes bytes from those who read less than the owner whose own bytes wait since then. @returns Whether that was enough. */
  #takeFor(wanted: number, since: number): boolean {
    if (wanted > this.#maxFor(wanted)) return false;
    const now = performance.now();
    if (now >= this.#searchAt) this.#search(now);
    while (!this.#hasLeft(wanted)) {
      const spare = this.#spare.pop();
      if (spare !== undefined) {
        spare.dropSpare();
        continue;
      }
      const stalled = this.#stalled.pop();
      if (stalled === undefined) return false;
      const { waitingSince } = stalled;
      // It may have gone on reading since the search.
      if (waitingSince > now - GRACE_MS) continue;
      if (waitingSince >= since) {
        this.#stalled.push(stalled);
        return false;
      }
      stalled.evict();
    }
    return true;
  }

  #search(now: number): void {
    this.#spare = [];
    this.#stalled = [];
    for (const holder of this.#holders()) {
      if (holder.hasSpare) this.#spare.push(holder);
      if (holder.waitingSince <= now - GRACE_MS) this.#stalled.push(holder);
    }
    this.#stalled.sort((one, other) => other.waitingSince - one.waitingSince);
    const end = performance.now();
    this.#searchAt = end + Math.max(STALE_MS, (end - now) / SEARCH_SHARE);
  }
}
