import type { Frame } from "../protocol/frame.ts";
import type { Connection } from "./connection.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Limits } from "./limits.ts";
import type { Backlog, Holder, MemoryBudget } from "./memory-budget.ts";
import type { Flushable, Turn } from "./turn.ts";
import { UnsentAcks } from "./unsent-acks.ts";

/**
 * Size of the waiting frames from which they are written at once. A longer write saves nothing. At the end of the turn,
 * large frames would find the socket's buffer full, and the runtime would copy them into a buffer of its own. And
 * frames that wait for the end of a long turn outlive the collections of an engine's young generation.
 */
const MAX_JOINED_BYTES = 32_768;

/** Parts and settings that all outboxes of a relay share. */
export interface OutboxContext {
  readonly limits: Pick<Limits, "maxBufferedBytes">;
  readonly budget: MemoryBudget;
  readonly turn: Turn;
  /** Counts the beats for which a connection has been slow. */
  readonly heartbeat: Pick<Heartbeat, "currentTick" | "beatsSince">;
}

/**
 * Frames that wait to be written to one connection. Its backlog, which are these frames and the bytes in the runtime's
 * buffer, counts in the memory budget until the operating system has taken it or the socket is gone.
 */
export class Outbox implements Backlog, Flushable {
  readonly #connection: Connection;
  readonly #context: OutboxContext;
  /** `undefined` if there are none, as in most outboxes at most times. */
  #frames: Frame[] | undefined = undefined;
  #size = 0;
  /** Bytes in the runtime's buffer at the last recount. */
  #unsentBytes = 0;
  /** Part of `#unsentBytes` that was in the buffer at `#waitingSince`. */
  #markedBytes = 0;
  #waitingSince = 0;
  /** Tick since which the backlog is full; -1 while it is not. */
  #slowSinceTick = -1;
  #acks: UnsentAcks | undefined = undefined;

  constructor(connection: Connection, context: OutboxContext) {
    this.#connection = connection;
    this.#context = context;
  }

  /**
   * Makes room for a frame of this size.
   *
   * @param holder The connection. Connections whose bytes have waited longer than its own may be evicted.
   * @returns Whether the frame may be added: the backlog is not full, and the memory budget has room.
   */
  makeRoomFor(size: number, holder: Holder): boolean {
    const backlogBytes = this.bufferedBytes();
    return !this.#isFull(backlogBytes) && this.#makeMemoryFor(backlogBytes, size, holder);
  }

  /**
   * Makes room for a frame that can wait: half of the backlog stays free for frames that cannot. An empty backlog takes
   * a frame of any size.
   *
   * @returns Whether the frame may be added.
   */
  makeRoomForCatchUp(size: number, holder: Holder): boolean {
    const backlogBytes = this.bufferedBytes();
    if (backlogBytes > 0 && backlogBytes + size > this.#context.limits.maxBufferedBytes / 2) return false;
    return this.#makeMemoryFor(backlogBytes, size, holder);
  }

  /** Whether the backlog is full. */
  isSlow(): boolean {
    return this.#isFull(this.bufferedBytes());
  }

  /** Whether the backlog has been full for this number of beats, at every look at it. */
  isSlowFor(beats: number): boolean {
    return this.isSlow() && this.#context.heartbeat.beatsSince(this.#slowSinceTick) >= beats;
  }

  /**
   * Adds a frame. All frames are written in the order of adding: at the end of this turn, or now if they have many
   * bytes.
   */
  add(frame: Frame): void {
    this.#size += frame.size;
    this.#context.budget.count(frame.size);
    // Not an empty array and a push: V8 would make room for 17 frames, and most writes have one.
    if (this.#frames === undefined) this.#frames = [frame];
    else this.#frames.push(frame);
    if (this.#size >= MAX_JOINED_BYTES) this.flush();
    else if (this.#frames.length === 1) this.#context.turn.add(this);
  }

  /** Counts the next frame as an ack, until the operating system has taken it. */
  countAck(): void {
    this.#acks ??= new UnsentAcks();
    this.#acks.add();
  }

  /** Whether at least this number of acks wait for the operating system. */
  hasUnsentAcks(acks: number): boolean {
    // The runtime is asked only if its answer can make a difference.
    if (this.#acks === undefined || this.#acks.maxCount < acks) return false;
    return this.#acks.count(this.#connection.bufferedBytes()) >= acks;
  }

  /** Returns the size of the backlog: of this outbox, and of the runtime's own buffer. */
  bufferedBytes(): number {
    // The runtime's buffer also holds bytes that were not written here: a runtime answers pings by itself.
    this.recount();
    return this.#size + this.#unsentBytes;
  }

  /**
   * Time since which the oldest byte in the runtime's buffer waits at the least, by `performance.now()`; `Infinity` if
   * the buffer is empty. Moves on only when the client has taken every byte that was in the buffer at that time: a
   * client that takes a byte now and then is as slow as one that takes none.
   */
  get waitingSince(): number {
    this.recount();
    return this.#unsentBytes === 0 ? Number.POSITIVE_INFINITY : this.#waitingSince;
  }

  /** Asks the runtime for the bytes in its buffer, and counts the difference in the memory budget. */
  recount(): void {
    const unsent = this.#connection.bufferedBytes();
    if (unsent === this.#unsentBytes) return;
    this.#context.budget.count(unsent - this.#unsentBytes);
    if (unsent === 0) this.#context.budget.unwatch(this);
    else if (this.#unsentBytes === 0) this.#context.budget.watch(this);
    this.#markedBytes -= Math.max(0, this.#unsentBytes - unsent);
    this.#unsentBytes = unsent;
    if (unsent === 0 || this.#markedBytes > 0) return;
    this.#markedBytes = unsent;
    this.#waitingSince = performance.now();
  }

  /** Writes all frames now. */
  flush(): void {
    const frames = this.#frames;
    if (frames === undefined) return;
    this.#frames = undefined;
    this.#context.budget.count(-this.#size);
    this.#size = 0;
    // Without it, bytes taken since the last recount and bytes added below would cancel each other out.
    if (this.#unsentBytes > 0) this.recount();
    this.#connection.write(frames);
    this.recount();
    this.#acks?.onFlush(frames, this.#unsentBytes);
  }

  /** Drops all frames: the link has ended. Bytes in the runtime's buffer still count. */
  discard(): void {
    this.#frames = undefined;
    this.#context.budget.count(-this.#size);
    this.#size = 0;
    this.recount();
  }

  #isFull(backlogBytes: number): boolean {
    const { limits, heartbeat } = this.#context;
    if (backlogBytes <= limits.maxBufferedBytes) {
      this.#slowSinceTick = -1;
      return false;
    }
    if (this.#slowSinceTick < 0) this.#slowSinceTick = heartbeat.currentTick;
    return true;
  }

  #makeMemoryFor(backlogBytes: number, size: number, holder: Holder): boolean {
    const { budget } = this.#context;
    return budget.hasRoomFor(backlogBytes, size) || budget.makeRoomFor(backlogBytes, size, holder.waitingSince);
  }
}
