import type { Limits } from "./limits.ts";

/** What a connection may have waiting however little is left for all: enough for acks, errors and short messages. */
const RESERVED_BYTES = 32_768;

/** Memory that a waiting byte takes: itself, what the runtime holds beside it, and what passed before it and is not collected yet. */
const COST = 4;

/** How old the sum may be when it decides that something is refused, in milliseconds. */
const STALE_MS = 10;

/** Something whose share of the sum shrinks without anybody telling: the operating system takes what was written. */
export interface Backlog {
  /** Counts its share anew. */
  recount(): void;
}

/**
 * All that waits in one relay together: what connections have not sent yet, and what mailboxes keep.
 *
 * Who has more waiting than is left for all is refused more, so that the fullest are refused first and nobody who reads is
 * refused for their sake: 2,000 receivers that have stopped reading share the bound evenly, and leave as much free as each has.
 */
export class Buffers {
  readonly #max: number;
  readonly #backlogs = new Set<Backlog>();
  #bytes = 0;
  #countedAt = 0;
  #refusals = 0;

  constructor(limits: Pick<Limits, "maxTotalBufferedBytes">) {
    this.#max = limits.maxTotalBufferedBytes / COST;
  }

  /** All that waits, in bytes; UTF-16 units where a message is a string. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How often there was not enough left. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Adds so many bytes to the sum, or takes them off where they are negative. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Has the backlog counted anew from time to time. */
  watch(backlog: Backlog): void {
    this.#backlogs.add(backlog);
  }

  unwatch(backlog: Backlog): void {
    this.#backlogs.delete(backlog);
  }

  /** Whether somebody with so many bytes waiting may have so many more. */
  allows(waiting: number, more: number): boolean {
    const wanted = waiting + more;
    if (wanted <= RESERVED_BYTES || wanted <= this.#max - this.#bytes) return true;
    if (performance.now() - this.#countedAt >= STALE_MS) {
      this.recount();
      if (wanted <= this.#max - this.#bytes) return true;
    }
    this.#refusals++;
    return false;
  }

  /** Counts anew what may have shrunk. */
  recount(): void {
    this.#countedAt = performance.now();
    for (const backlog of this.#backlogs) backlog.recount();
  }
}
