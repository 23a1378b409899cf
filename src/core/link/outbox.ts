import type { Frame } from "../protocol/frame.ts";
import type { Connection } from "./connection.ts";
import type { Backlog, MemoryBudget } from "./memory-budget.ts";
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

/** What waits to be written to one connection. Its bytes count until the operating system has taken them, or the socket is gone. */
export class Outbox implements Backlog {
  readonly #connection: Connection;
  readonly #turn: Turn;
  readonly #budget: MemoryBudget;
  #frames: Frame[] = [];
  #size = 0;
  /** What the runtime had not handed on when it was last asked, in bytes. */
  #unsent = 0;
  /** Bytes of these that waited already at `#waitingSince`. */
  #marked = 0;
  #waitingSince = 0;
  #acks: UnsentAcks | undefined = undefined;

  constructor(connection: Connection, turn: Turn, budget: MemoryBudget) {
    this.#connection = connection;
    this.#turn = turn;
    this.#budget = budget;
  }

  /** Adds a frame; it is written at the end of this turn, in the order of adding. */
  add(frame: Frame): void {
    this.#size += frame.size;
    this.#budget.count(frame.size);
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

  /**
   * Since when the oldest byte in the runtime's buffer waits at the least, by `performance.now()`; `Infinity` where none does. A client that
   * takes one of many now and then gets no younger by it: all that waited at one moment must be taken.
   */
  get waitingSince(): number {
    this.recount();
    return this.#unsent === 0 ? Number.POSITIVE_INFINITY : this.#waitingSince;
  }

  /** Asks the runtime what it has not handed on. */
  recount(): void {
    const unsent = this.#connection.bufferedBytes();
    if (unsent === this.#unsent) return;
    this.#budget.count(unsent - this.#unsent);
    if (unsent === 0) this.#budget.unwatch(this);
    else if (this.#unsent === 0) this.#budget.watch(this);
    this.#marked -= Math.max(0, this.#unsent - unsent);
    this.#unsent = unsent;
    if (unsent === 0 || this.#marked > 0) return;
    this.#marked = unsent;
    this.#waitingSince = performance.now();
  }

  /** Writes all that waits, now. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#budget.count(-this.#size);
    this.#size = 0;
    // What was taken until now and what is added now would cancel each other out.
    if (this.#unsent > 0) this.recount();
    this.#connection.write(frames);
    this.recount();
    this.#acks?.flushed(frames, this.#unsent);
  }

  /** Drops what was not written: the link is over. What the runtime holds counts on. */
  discard(): void {
    this.#frames = [];
    this.#budget.count(-this.#size);
    this.#size = 0;
    this.recount();
  }
}
