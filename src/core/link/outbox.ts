import type { Frame } from "../protocol/frame.ts";
import type { Connection } from "./connection.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Limits } from "./limits.ts";
import type { Backlog, Holder, MemoryBudget } from "./memory-budget.ts";
import type { Flushable, Turn } from "./turn.ts";
import { UnsentAcks } from "./unsent-acks.ts";

/** What the outboxes of a relay share. */
export interface OutboxCare {
  readonly limits: Pick<Limits, "maxBufferedBytes">;
  readonly budget: MemoryBudget;
  readonly turn: Turn;
  /** Tells the time, in ticks. */
  readonly heartbeat: Pick<Heartbeat, "now" | "beatsSince">;
}

/** What waits to be written to one connection. Its bytes count until the operating system has taken them, or the socket is gone. */
export class Outbox implements Backlog, Flushable {
  readonly #connection: Connection;
  readonly #care: OutboxCare;
  #frames: Frame[] = [];
  #size = 0;
  /** What the runtime had not handed on when it was last asked, in bytes. */
  #unsent = 0;
  /** Bytes of these that waited already at `#waitingSince`. */
  #marked = 0;
  #waitingSince = 0;
  /** The tick since which more waits than may; -1 while that is not so. */
  #slowSince = -1;
  #acks: UnsentAcks | undefined = undefined;

  constructor(connection: Connection, care: OutboxCare) {
    this.#connection = connection;
    this.#care = care;
  }

  /**
   * Whether a frame of this size may be added: no more waits than may, and there is memory for it.
   *
   * @param holder The connection; takes memory only from others whose bytes have waited for longer than its own.
   */
  hasRoomFor(size: number, holder: Holder): boolean {
    const waiting = this.bufferedBytes();
    return !this.#isOver(waiting) && this.#hasMemoryFor(waiting, size, holder);
  }

  /**
   * Whether a frame that can also be sent later may be added: half of what may wait is left for frames that cannot. One
   * such frame may always be on its way.
   */
  isReadyFor(size: number, holder: Holder): boolean {
    const waiting = this.bufferedBytes();
    if (waiting > 0 && waiting + size > this.#care.limits.maxBufferedBytes / 2) return false;
    return this.#hasMemoryFor(waiting, size, holder);
  }

  /** Whether more waits than may. */
  isSlow(): boolean {
    return this.#isOver(this.bufferedBytes());
  }

  /** Whether more than may was found to wait so many beats ago, and still waits. */
  isSlowFor(beats: number): boolean {
    return this.isSlow() && this.#care.heartbeat.beatsSince(this.#slowSince) >= beats;
  }

  /** Adds a frame; it is written at the end of this turn, in the order of adding. */
  add(frame: Frame): void {
    this.#size += frame.size;
    this.#care.budget.count(frame.size);
    if (this.#frames.push(frame) === 1) this.#care.turn.add(this);
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
    this.#care.budget.count(unsent - this.#unsent);
    if (unsent === 0) this.#care.budget.unwatch(this);
    else if (this.#unsent === 0) this.#care.budget.watch(this);
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
    this.#care.budget.count(-this.#size);
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
    this.#care.budget.count(-this.#size);
    this.#size = 0;
    this.recount();
  }

  #isOver(waiting: number): boolean {
    const { limits, heartbeat } = this.#care;
    if (waiting <= limits.maxBufferedBytes) {
      this.#slowSince = -1;
      return false;
    }
    if (this.#slowSince < 0) this.#slowSince = heartbeat.now;
    return true;
  }

  #hasMemoryFor(waiting: number, size: number, holder: Holder): boolean {
    const { budget } = this.#care;
    return budget.fits(waiting, size) || budget.allows(waiting, size, holder.waitingSince);
  }
}
