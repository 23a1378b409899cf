/** Runs the callback once, at the end of this turn of the event loop. */
export type Schedule = (callback: () => void) => void;

/** Holds frames that must be written at the end of a turn. */
export interface Flushable {
  /** Writes the frames. */
  flush(): void;
}

/**
 * The outboxes of a relay that have frames to write at the end of this turn of the event loop. The first of them
 * schedules one flush for all, so each connection is written once per turn.
 */
export class Turn {
  readonly #schedule: Schedule;
  #waiting: Flushable[] = [];

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Flushes the outbox at the end of this turn. Add each outbox once per turn. */
  add(outbox: Flushable): void {
    if (this.#waiting.push(outbox) === 1) this.#schedule(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outbox of waiting) outbox.flush();
  };
}
