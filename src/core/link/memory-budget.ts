import type { Limits } from "./limits.ts";

/**
 * Process memory that one counted byte stands for: the byte itself, its copy in a runtime's write buffer, characters
 * that take two bytes, and garbage that is not collected yet.
 */
const COST = 4;

/** Age of the count, in milliseconds, above which the backlogs are counted again before bytes are refused. */
const STALE_MS = 10;

/** Time that a backlog may wait, in milliseconds, before its owner may be evicted. */
export const GRACE_MS = 1000;

/**
 * Part of the budget that is reserved for owners that hold little: messages to clients that read, and acks. A client
 * whose ack is refused loses its connection.
 */
const RESERVED_SHARE = 1 / 8;

/** Bytes that an owner may hold in the reserved part. */
const RESERVED_OWNER_BYTES = 16_384;

/** Maximum part of its time that a relay without memory spends on searching for connections to evict. */
const SEARCH_SHARE = 0.1;

/** Bytes in the buffer of a runtime. They shrink without notice when the operating system takes some. */
export interface Backlog {
  /** Asks the runtime for the bytes that are left, and counts the difference. */
  recount(): void;
}

/** A connection that holds memory, and that can be made to give it back. */
export interface Holder {
  /** Whether it keeps messages for a client that never acknowledges: the relay does not promise to keep those. */
  readonly hasUnpromisedMessages: boolean;
  /** Drops these messages. */
  dropUnpromisedMessages(): void;
  /**
   * Time since which its oldest byte waits, by `performance.now()`; `Infinity` if it holds none, 0 if it is closing.
   */
  readonly waitingSince: number;
  /** Closes the connection and frees its bytes. Reports the end later, not within this call. */
  evict(): void;
}

/** A part of the budget with a limit of its own. No owner may hold more of it than is left for the others. */
export class Pool {
  readonly max: number;
  bytes = 0;

  constructor(max: number) {
    this.max = max;
  }

  get isOverLimit(): boolean {
    return this.bytes > this.max;
  }

  /**
   * Whether an owner that holds `held` bytes of the pool, which `bytes` contains, may hold `more` bytes more. No owner
   * may hold more in all than is left for the others.
   */
  hasRoomFor(held: number, more: number): boolean {
    return held + more <= this.max - this.bytes;
  }
}

/**
 * Memory budget of one relay, for everything that strangers can make it hold. It counts bytes; each counted byte stands
 * for four bytes of the process.
 *
 * No owner may hold more than is left for the others (the dynamic threshold of shared-memory switches). So 2,000
 * receivers that do not read share the budget evenly, and leave as much free as each of them holds. Sessions that are
 * away share one half, the rooms and watches of sessions that are online one quarter.
 *
 * If a client that reads needs memory, the budget takes it from clients that do not: first messages that it did not
 * promise to keep, then the connections whose bytes have waited longest.
 */
export class MemoryBudget {
  /** Bytes of sessions without a connection. */
  readonly away: Pool;
  /** Bytes of the rooms and watches of sessions with a connection. */
  readonly names: Pool;
  /** Bytes of incomplete messages. They may exceed the budget for a moment, but not this pool. */
  readonly incoming: Pool;
  readonly #max: number;
  /** Limit for owners that hold more than a little. */
  readonly #commonMax: number;
  readonly #holders: () => Iterable<Holder>;
  readonly #backlogs = new Set<Backlog>();
  #bytes = 0;
  #countedAt = 0;
  #refusals = 0;
  /** Results of the latest search. Memory is taken from the last holder first. */
  #withUnpromised: Holder[] = [];
  #stalled: Holder[] = [];
  /** Earliest time of the next search, by `performance.now()`. */
  #nextSearchAt = 0;

  /** @param holders Returns every open connection. */
  constructor(limits: Pick<Limits, "maxTotalBufferedBytes">, holders: () => Iterable<Holder> = () => []) {
    this.#max = limits.maxTotalBufferedBytes / COST;
    this.#commonMax = this.#max * (1 - RESERVED_SHARE);
    this.away = new Pool(this.#max / 2);
    this.names = new Pool(this.#max / 4);
    this.incoming = new Pool(this.#max / 2);
    this.#holders = holders;
  }

  /** Counted bytes of all owners. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of requests that were refused because there was no memory. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Adds bytes to the count; a negative number takes them off. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Recounts the backlog from time to time, until `unwatch`. */
  watch(backlog: Backlog): void {
    this.#backlogs.add(backlog);
  }

  unwatch(backlog: Backlog): void {
    this.#backlogs.delete(backlog);
  }

  /** Whether an owner that holds `held` bytes may hold `more` bytes more, without an eviction. */
  hasRoomFor(held: number, more: number): boolean {
    const wanted = held + more;
    if (this.#hasLeft(wanted)) return true;
    if (performance.now() - this.#countedAt < STALE_MS) return false;
    this.recount();
    return this.#hasLeft(wanted);
  }

  /**
   * Makes room for an owner that holds `held` bytes and needs `more`. Takes memory from connections whose bytes have
   * waited longer than the owner's.
   *
   * @param since Time since which the owner's own bytes wait; `Infinity` if it has none. So an owner never evicts
   * itself.
   * @returns Whether the owner may have the bytes; they are not counted yet.
   */
  makeRoomFor(held: number, more: number, since: number): boolean {
    return this.hasRoomFor(held, more) || this.#takeMemoryFor(held + more, since) || this.countRefusal();
  }

  /** Counts a refusal that was decided elsewhere, because a pool had no bytes left. @returns `false`. */
  countRefusal(): false {
    this.#refusals++;
    return false;
  }

  /** Recounts all backlogs. */
  recount(): void {
    this.#countedAt = performance.now();
    for (const backlog of this.#backlogs) backlog.recount();
  }

  #hasLeft(wanted: number): boolean {
    return wanted <= this.#maxFor(wanted) - this.#bytes;
  }

  #maxFor(wanted: number): number {
    return wanted <= RESERVED_OWNER_BYTES ? this.#max : this.#commonMax;
  }

  /** Takes memory from connections whose bytes have waited since before `since`. @returns Whether that was enough. */
  #takeMemoryFor(wanted: number, since: number): boolean {
    if (wanted > this.#maxFor(wanted)) return false;
    const now = performance.now();
    if (now >= this.#nextSearchAt) this.#search(now);
    while (!this.#hasLeft(wanted)) {
      const withUnpromised = this.#withUnpromised.pop();
      if (withUnpromised !== undefined) {
        withUnpromised.dropUnpromisedMessages();
        continue;
      }
      const stalled = this.#stalled.pop();
      if (stalled === undefined) return false;
      const { waitingSince } = stalled;
      // The client may have read again since the search.
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
    this.#withUnpromised = [];
    this.#stalled = [];
    for (const holder of this.#holders()) {
      if (holder.hasUnpromisedMessages) this.#withUnpromised.push(holder);
      if (holder.waitingSince <= now - GRACE_MS) this.#stalled.push(holder);
    }
    this.#stalled.sort((one, other) => other.waitingSince - one.waitingSince);
    const end = performance.now();
    this.#nextSearchAt = end + Math.max(STALE_MS, (end - now) / SEARCH_SHARE);
  }
}
