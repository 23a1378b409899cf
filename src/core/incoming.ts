import type { MemoryBudget } from "./memory-budget.ts";

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
   * Counts the bytes in place of those counted before.
   *
   * @param since Time since which the connection's own bytes wait: it takes memory from those alone that wait for longer.
   * @returns Whether the budget has room for them; where it has none, the count stays as it is.
   */
  hold(heldBytes: number, since: number): boolean {
    const bytes = Math.ceil(heldBytes / HELD_PER_COUNTED);
    const more = bytes - this.#bytes;
    const budget = this.#budget;
    if (more > 0 && !budget.fits(this.#bytes, more) && !budget.allows(this.#bytes, more, since)) return false;
    if (this.#bytes === 0) this.#since = performance.now();
    this.#bytes = bytes;
    budget.count(more);
    return true;
  }

  /** Gives all back: the message is complete, or the socket is gone. */
  release(): void {
    this.#budget.count(-this.#bytes);
    this.#bytes = 0;
    this.#since = Number.POSITIVE_INFINITY;
  }
}
