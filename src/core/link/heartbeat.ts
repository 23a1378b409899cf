import { Slots } from "./slots.ts";
import type { Schedule } from "./turn.ts";

/** State of the heartbeat for one connection. Only the heartbeat reads and writes it. */
export class Pulse {
  /** Slice in which the connection waits for its next visit; -1 while it waits in none. */
  slice = -1;
  /** Slot of the connection in that slice. */
  slot = 0;
  /** Tick of the last sign of life. */
  lastHeardTick = 0;
  /** Whether the connection was pinged since its last sign of life. */
  isPinged = false;
  /** Beats without a sign of life since the first unanswered ping. */
  misses = 0;
}

/** A connection that the heartbeat monitors. */
export interface Monitored {
  readonly pulse: Pulse;
  /** Whether the connection has ended. */
  readonly hasEnded: boolean;
  /** Whether bytes came since the last ping without a sign of life: a large frame that is still incomplete. */
  hasReceivedSincePing(): boolean;
  /** Sends a ping. @returns `false` if it cannot, because the runtime pings by itself. */
  ping(): boolean;
  /** The heartbeat visits the connection, at least once a beat: for other work that is due by then. */
  onVisit(): void;
  /** A beat passed without a sign of life. @param misses Such beats in a row. */
  onMiss(misses: number): void;
  /** The connection missed the last beat that it may miss. */
  onLost(misses: number): void;
}

export interface HeartbeatOptions {
  /** Length of one beat, in milliseconds. */
  readonly intervalMs: number;
  /** Beats in a row without a sign of life, each after a ping, until the connection counts as lost. */
  readonly misses: number;
  /** Defers a tick's remaining visits by a turn of the event loop. Default: a microtask, which defers nothing. */
  readonly schedule?: Schedule;
  /** Called on each tick, five times a beat. */
  readonly onTick?: () => void;
}

/** Ticks per beat. With more of them, an idle process wakes up more often, and each of its pings costs more. */
const TICKS = 5;

/**
 * A tick that is late by more than `LATE_MS` and by more than this part of a tick shows that the process was suspended
 * or is overloaded. (An overloaded Deno 2.9 reads some sockets all the time, and others not for seconds.)
 */
const LATE_PART_OF_TICK = 0.25;
const LATE_MS = 100;

/** Visits per turn of the event loop. A ping costs 10 µs, so a message waits for 80 µs of pings at most. */
const VISITS_PER_TURN = 8;

/**
 * Detects lost connections, with one timer for all of them.
 *
 * A connection is pinged after a beat of silence at the latest, and never while it sends frames: its next ping is due
 * between four fifths of a beat and one beat after its last sign of life. If many pings are due together, each turn of
 * the event loop sends only a few of them. Each further beat in silence is a miss. With three misses, a connection is
 * lost between 3.8 and 4 beats after its last sign of life, and three whole beats after its first unanswered ping.
 *
 * Time is counted in ticks of the timer, and silence does not count while the process itself has no time to read. So a
 * jump of the clock, a suspended process or an overload does not end connections.
 */
export class Heartbeat {
  readonly #misses: number;
  readonly #schedule: Schedule;
  readonly #onTick: () => void;
  readonly #tickMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Connections by the slice of a beat in which their next visit is due. */
  readonly #slices: Slots<Monitored>[] = Array.from({ length: TICKS }, () => new Slots());
  /** Connections whose visit is due, in order; the first `#visitedCount` of them have been visited. */
  readonly #due: Monitored[] = [];
  #visitedCount = 0;
  #tick = 0;
  /** Time of the latest tick, by `performance.now()`. */
  #lastTickAt = performance.now();
  /** First tick at which silence means something again: until then this process had no time to read. */
  #deafUntilTick = 0;

  constructor(options: HeartbeatOptions) {
    this.#misses = options.misses;
    this.#schedule = options.schedule ?? queueMicrotask;
    this.#onTick = options.onTick ?? (() => {});
    this.#tickMs = options.intervalMs / TICKS;
    this.#timer = setInterval(() => this.#runTick(), this.#tickMs);
  }

  /** Starts to monitor the connection. */
  add(monitored: Monitored): void {
    this.onSignOfLife(monitored);
    this.#scheduleVisit(this.#tick + TICKS, monitored);
  }

  /** Stops monitoring the connection, which has ended. */
  remove({ pulse }: Monitored): void {
    this.#slices[pulse.slice]?.delete(pulse.slot);
    pulse.slice = -1;
  }

  /** A frame or a pong came from the client. */
  onSignOfLife({ pulse }: Monitored): void {
    pulse.lastHeardTick = this.#tick;
    pulse.isPinged = false;
    pulse.misses = 0;
  }

  /** Returns the whole beats that have passed since the tick. */
  beatsSince(tick: number): number {
    return Math.floor((this.#tick - tick) / TICKS);
  }

  /** Number of the present tick, for `beatsSince`. */
  get currentTick(): number {
    return this.#tick;
  }

  /** Stops the timer: no connection is monitored any more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #runTick(): void {
    this.#tick++;
    const now = performance.now();
    const lateMs = now - this.#lastTickAt - this.#tickMs;
    if (lateMs > Math.max(LATE_MS, this.#tickMs * LATE_PART_OF_TICK)) this.#deafUntilTick = this.#tick + TICKS;
    this.#lastTickAt = now;
    const slice = this.#tick % TICKS;
    const isBehind = this.#due.length > 0;
    for (const monitored of this.#slices[slice] ?? []) {
      monitored.pulse.slice = -1;
      this.#due.push(monitored);
    }
    this.#slices[slice]?.clear();
    if (!isBehind) this.#visitSome();
    this.#onTick();
  }

  readonly #visitSome = (): void => {
    const end = Math.min(this.#visitedCount + VISITS_PER_TURN, this.#due.length);
    for (; this.#visitedCount < end; this.#visitedCount++) {
      const monitored = this.#due[this.#visitedCount];
      // The visit of one connection may end another that is due.
      if (monitored?.hasEnded === false) this.#visit(monitored);
    }
    if (this.#visitedCount < this.#due.length) {
      this.#schedule(this.#visitSome);
      return;
    }
    this.#due.length = 0;
    this.#visitedCount = 0;
  };

  #visit(monitored: Monitored): void {
    const { pulse } = monitored;
    if (pulse.isPinged && monitored.hasReceivedSincePing()) {
      pulse.misses = 0;
    } else if (pulse.isPinged && this.#tick < this.#deafUntilTick) {
      // The client's answer may not have been read yet: it is pinged again, and its earlier misses still count.
    } else if (pulse.isPinged) {
      pulse.misses++;
      monitored.onMiss(pulse.misses);
      if (pulse.misses >= this.#misses) {
        monitored.onLost(pulse.misses);
        return;
      }
    }
    monitored.onVisit();
    if (monitored.hasEnded) return;
    if (!pulse.isPinged && this.#tick - pulse.lastHeardTick < TICKS) {
      this.#scheduleVisit(pulse.lastHeardTick + TICKS, monitored);
      return;
    }
    pulse.isPinged = true;
    if (!monitored.ping()) pulse.isPinged = false;
    this.#scheduleVisit(this.#tick + TICKS, monitored);
  }

  #scheduleVisit(tick: number, monitored: Monitored): void {
    const slice = tick % TICKS;
    monitored.pulse.slice = slice;
    monitored.pulse.slot = this.#slices[slice]?.add(monitored) ?? 0;
  }
}
