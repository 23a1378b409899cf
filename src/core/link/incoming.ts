import { GRACE_MS, type MemoryBudget } from "./memory-budget.ts";

/** Bytes of one message, beyond twice the largest message, that a client may send before the message is complete. */
const RAW_SLACK_BYTES = 65_536;

/**
 * Bytes of an incomplete message for each byte that the memory budget counts. For other data, a counted byte stands for
 * four bytes of the process; an incomplete message has no second copy yet.
 */
const HELD_PER_COUNTED = 2;

/**
 * Returns the bytes within which a message must be complete. They include the headers of its fragments, and the control
 * frames between those.
 *
 * @param maxMessageBytes Bytes of the largest message's payload.
 */
export function maxRawBytes(maxMessageBytes: number): number {
  return 2 * maxMessageBytes + RAW_SLACK_BYTES;
}

/** Counts one connection's incomplete message, which the runtime holds, in the memory budget. */
export class Incoming {
  readonly #budget: MemoryBudget;
  #bytes = 0;
  #since = Number.POSITIVE_INFINITY;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Time since which the message is incomplete, by `performance.now()`; `Infinity` if nothing is counted. */
  get waitingSince(): number {
    return this.#since;
  }

  /**
   * Counts the bytes in place of those counted before. In its first second, a message may exceed the budget, within a
   * limit for all incomplete messages: other holders of memory, too, have a second before they are evicted.
   *
   * @param heldBytes Process memory that the incomplete message takes.
   * @param since Time since which the own bytes of the connection wait. Only connections that have waited longer are
   * evicted.
   * @returns `false` if the budget has no room; the count then stays as it is.
   */
  hold(heldBytes: number, since: number): boolean {
    const bytes = Math.ceil(heldBytes / HELD_PER_COUNTED);
    const more = bytes - this.#bytes;
    const budget = this.#budget;
    const now = performance.now();
    if (more > 0 && !budget.hasRoomFor(this.#bytes, more) && !budget.makeRoomFor(this.#bytes, more, since)) {
      const isNew = this.#bytes === 0 || now - this.#since < GRACE_MS;
      if (!isNew || budget.incoming.bytes + more > budget.incoming.max) return false;
    }
    if (this.#bytes === 0) this.#since = now;
    this.#count(more);
    return true;
  }

  /** Gives all bytes back: the message is complete, or the socket is gone. */
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
