/** Calls the function once, at the end of this turn of the event loop. */
export type Schedule = (callback: () => void) => void;

/** Frames that are to be written at the end of a turn. */
export interface Flushable {
  /** Writes the frames. */
  flush(): void;
}

/**
 * Every outbox of a relay that has frames to write in this turn of the event loop.
 *
 * The first frame of a turn schedules one flush; the flush writes each waiting connection once.
 */
export class Turn {
  readonly #schedule: Schedule;
  #waiting: Flushable[] = [];

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Has the outbox flushed at the end of this turn. */
  add(outbox: Flushable): void {
    if (this.#waiting.push(outbox) === 1) this.#schedule(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outbox of waiting) outbox.flush();
  };
}
