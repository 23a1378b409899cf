import type { Connection } from "./connection.ts";
import type { Frame } from "./frame.ts";

/** Asks the runtime to call `flush` once, at the end of this turn of the event loop. */
export type Schedule = (flush: () => void) => void;

/**
 * Every outbox that has something to write in this turn.
 *
 * The first frame of a turn schedules one flush; the flush writes each waiting connection once.
 */
export class Turn {
  readonly #schedule: Schedule;
  #waiting: Outbox[] = [];

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Has the outbox flushed at the end of this turn. */
  add(outbox: Outbox): void {
    if (this.#waiting.push(outbox) === 1) this.#schedule(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outbox of waiting) outbox.flush();
  };
}

/** What waits to be written to one connection. */
export class Outbox {
  readonly #connection: Connection;
  readonly #turn: Turn;
  #frames: Frame[] = [];
  #size = 0;

  constructor(connection: Connection, turn: Turn) {
    this.#connection = connection;
    this.#turn = turn;
  }

  /** Adds a frame; it is written at the end of this turn, in the order of adding. */
  add(frame: Frame): void {
    this.#size += frame.size;
    if (this.#frames.push(frame) === 1) this.#turn.add(this);
  }

  /** Bytes on their way to the operating system: in this outbox, and in the runtime's own buffer. */
  bufferedBytes(): number {
    return this.#size + this.#connection.bufferedBytes();
  }

  /** Writes all that waits, now. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#size = 0;
    this.#connection.write(frames);
  }

  /** Drops all that waits: the connection is gone. */
  discard(): void {
    this.#frames = [];
    this.#size = 0;
  }
}
