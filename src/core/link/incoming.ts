import { GRACE_MS, type MemoryBudget } from "./memory-budget.ts";

/** Raw bytes of one message, beyond twice the largest message, that a client may send before the message is complete. */
const RAW_SLACK_BYTES = 65_536;

/** Process memory that one counted byte stands for, of the four that the budget reckons with: there is no second copy yet. */
const HELD_PER_COUNTED = 2;

/** Raw bytes within which a message of at most `maxMessageBytes` must be complete, its frames' headers and control frames between them included. */
export function maxRawBytes(maxMessageBytes: number): number {
  return 2 * maxMessageBytes + RAW_SLACK_BYTES;
}

/** Counts in the memory budget what the runtime holds of one connection's incomplete message. */
export class Incoming {
  readonly #budget: MemoryBudget;
  #bytes = 0;
  #since = Number.POSITIVE_INFINITY;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Time since which the message is incomplete, by `performance.now()`; `Infinity` where nothing is counted. */
  get waitingSince(): number {
    return this.#since;
  }

  /**
   * Counts the bytes in place of those counted before. Where the budget has no room, a message that has been coming for
   * less than a second may go over it, within a bound for all: others that hold memory have a second to go on as well.
   *
   * @param since Time since which the connection's own bytes wait: it takes memory from those alone that wait for longer.
   * @returns Whether the budget has room for them; where it has none, the count stays as it is.
   */
  hold(heldBytes: number, since: number): boolean {
    const bytes = Math.ceil(heldBytes / HELD_PER_COUNTED);
    const more = bytes - this.#bytes;
    const budget = this.#budget;
    const now = performance.now();
    if (more > 0 && !budget.fits(this.#bytes, more) && !budget.allows(this.#bytes, more, since)) {
      const isNew = this.#bytes === 0 || now - this.#since < GRACE_MS;
      if (!isNew || budget.incoming.bytes + more > budget.incoming.max) return false;
    }
    if (this.#bytes === 0) this.#since = now;
    this.#count(more);
    return true;
  }

  /** Gives all back: the message is complete, or the socket is gone. */
  release(): void {
    this.#count(-this.#bytes);
    this.#since = Number.POSITIVE_INFINITY;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.count(bytes);
    this.#budget.incoming.bytes += bytes;
  }
}
