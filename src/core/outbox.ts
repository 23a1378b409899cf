import type { Backlog, Buffers } from "./buffers.ts";
import type { Connection } from "./connection.ts";
import type { Frame } from "./frame.ts";
import { UnsentAcks } from "./unsent-acks.ts";

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
export class Outbox implements Backlog {
  readonly #connection: Connection;
  readonly #turn: Turn;
  readonly #buffers: Buffers;
  #frames: Frame[] = [];
  #size = 0;
  /** What the runtime had not handed on when it was last asked, in bytes. */
  #unsent = 0;
  #acks: UnsentAcks | undefined = undefined;

  constructor(connection: Connection, turn: Turn, buffers: Buffers) {
    this.#connection = connection;
    this.#turn = turn;
    this.#buffers = buffers;
  }

  /** Adds a frame; it is written at the end of this turn, in the order of adding. */
  add(frame: Frame): void {
    this.#size += frame.size;
    this.#buffers.count(frame.size);
    if (this.#frames.push(frame) === 1) this.#turn.add(this);
  }

  /** Counts the next frame as an ack until the operating system has taken it. */
  countAck(): void {
    this.#acks ??= new UnsentAcks();
    this.#acks.add();
  }

  /** Whether the operating system has not taken so many acks yet. */
  hasUnsentAcks(acks: number): boolean {
    // The runtime is asked only where that can make a difference.
    if (this.#acks === undefined || this.#acks.atMost < acks) return false;
    return this.#acks.count(this.#connection.bufferedBytes()) >= acks;
  }

  /** Bytes on their way to the operating system: in this outbox, and in the runtime's own buffer. */
  bufferedBytes(): number {
    // Not all that waits was written here: a runtime answers pings by itself.
    this.recount();
    return this.#size + this.#unsent;
  }

  /** Asks the runtime what it has not handed on. */
  recount(): void {
    const unsent = this.#connection.bufferedBytes();
    if (unsent === this.#unsent) return;
    this.#buffers.count(unsent - this.#unsent);
    if (unsent === 0) this.#buffers.unwatch(this);
    else if (this.#unsent === 0) this.#buffers.watch(this);
    this.#unsent = unsent;
  }

  /** Writes all that waits, now. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#buffers.count(-this.#size);
    this.#size = 0;
    this.#connection.write(frames);
    this.recount();
    this.#acks?.flushed(frames, this.#unsent);
  }

  /** Drops all that waits: the connection is gone. */
  discard(): void {
    this.#frames = [];
    this.#buffers.count(-this.#size - this.#unsent);
    this.#buffers.unwatch(this);
    this.#size = 0;
    this.#unsent = 0;
  }
}
