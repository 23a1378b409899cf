/** Runs the callback once, at the end of this turn of the event loop. */
export type Schedule = (callback: () => void) => void;

/** Holds frames that must be written at the end of a turn. */
export interface Flushable {
  /** Writes the frames. */
  flush(): void;
}

/**
 * The outboxes of a relay that have frames to write at the end of this turn of the event loop. The first of them
 * schedules one flush for all. So frames for one connection leave together.
 */
export class Turn {
  readonly #schedule: Schedule;
  /** The first `#count` entries wait. The other entries are empty: the array keeps its length for later turns. */
  #waiting: (Flushable | undefined)[] = [];
  #count = 0;
  /** Takes the place of `#waiting` while that is flushed. All its entries are empty. */
  #spare: (Flushable | undefined)[] = [];

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Flushes the outbox at the end of this turn. */
  add(outbox: Flushable): void {
    this.#waiting[this.#count++] = outbox;
    if (this.#count === 1) this.#schedule(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    const count = this.#count;
    this.#waiting = this.#spare;
    this.#count = 0;
    for (let at = 0; at < count; at++) {
      waiting[at]?.flush();
      waiting[at] = undefined;
    }
    this.#spare = waiting;
  };
}
