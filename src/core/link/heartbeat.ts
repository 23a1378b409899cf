import type { Schedule } from "./turn.ts";

/** How a connection stands with the heartbeat, which alone reads and writes it. */
export class Pulse {
  /** Where the connection waits for its next visit. */
  slice = 0;
  /** The tick in which the last sign of life came. */
  heardTick = 0;
  /** Whether a ping went out since then. */
  asked = false;
  /** Beats let pass without any sign of life since the first ping that was not answered. */
  misses = 0;
}

/** A connection that the heartbeat looks after. */
export interface Monitored {
  readonly pulse: Pulse;
  /** Whether the connection is over. */
  readonly ended: boolean;
  /** Whether anything came from the client since the last ping that `heard` was not told of: a part of a large frame. */
  hasStirred(): boolean;
  /** Asks for a sign of life. @returns Whether it could: a runtime may ping by itself. */
  ping(): boolean;
  /** A visit of the heartbeat, at least once a beat, for what else is due by then. */
  visited(): void;
  /** A beat has passed in silence. */
  missed(misses: number): void;
  /** The last miss that is allowed has been used up. */
  lost(misses: number): void;
}

export interface HeartbeatOptions {
  /** Milliseconds of one beat. */
  readonly intervalMs: number;
  /** Beats in silence, each after a ping, until the connection counts as lost. */
  readonly misses: number;
  /** Puts off the rest of a tick's visits by a turn of the event loop. Default: a microtask, which puts off nothing. */
  readonly schedule?: Schedule;
  /** Called for each tick, five times a beat. */
  readonly ticked?: () => void;
}

/** Ticks that one beat is spread over. With more of them an idle process wakes more often, and each of its pings costs more. */
const TICKS = 5;

/**
 * A tick that comes so much too late, in milliseconds and at least in parts of a tick, shows that the process was suspended or has
 * more to do than it can. (Deno 2.9 reads some sockets all the time then, and others not for seconds.)
 */
const LATE_MS = 100;
const LATE_TICKS = 0.25;

/** Visits in one turn of the event loop: a ping costs 10 µs, and no message waits for more than these. */
const VISITS_A_TURN = 8;

/**
 * Finds the connections that are gone, with one timer for all of them.
 *
 * A connection is pinged after a beat of silence at the latest, and never while it is talking: its next ping is due
 * between four fifths of a beat and one beat after it was last heard. However many are due together, only a few are pinged in one
 * turn of the event loop. Each further beat in silence is a miss. With `misses` 3 a connection is lost between 3.8 and 4
 * beats after it was last heard, and never before three whole beats have passed since the first ping that it left
 * unanswered. Time is counted in ticks of the timer, and a beat in which the process itself had no time counts for nobody: a clock that jumps or a
 * process that was suspended or is flooded loses nobody.
 */
export class Heartbeat {
  readonly #misses: number;
  readonly #schedule: Schedule;
  readonly #ticked: () => void;
  readonly #tickMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Connections to visit, by tick of a beat. */
  readonly #slices: Set<Monitored>[] = Array.from({ length: TICKS }, () => new Set());
  /** Those whose tick has come, in order, and how many of them have been visited. */
  readonly #due: Monitored[] = [];
  #visited = 0;
  #tick = 0;
  /** When the latest tick came, by `performance.now()`. */
  #tickedAt = performance.now();
  /** Until which tick silence says nothing: this process itself had no time to listen. */
  #deafUntil = 0;

  constructor(options: HeartbeatOptions) {
    this.#misses = options.misses;
    this.#schedule = options.schedule ?? queueMicrotask;
    this.#ticked = options.ticked ?? (() => {});
    this.#tickMs = options.intervalMs / TICKS;
    this.#timer = setInterval(() => this.#pass(), this.#tickMs);
  }

  /** Looks after the connection from now on, until it is removed. */
  add(monitored: Monitored): void {
    this.heard(monitored);
    this.#visitAt(this.#tick + TICKS, monitored);
  }

  /** Forgets the connection, which has ended. */
  remove(monitored: Monitored): void {
    this.#slices[monitored.pulse.slice]?.delete(monitored);
  }

  /** A sign of life came. */
  heard({ pulse }: Monitored): void {
    pulse.heardTick = this.#tick;
    pulse.asked = false;
    pulse.misses = 0;
  }

  /** Whole beats since the tick. */
  beatsSince(tick: number): number {
    return Math.floor((this.#tick - tick) / TICKS);
  }

  /** The present tick, for `beatsSince`. */
  get now(): number {
    return this.#tick;
  }

  /** Ends the timer; nobody is looked after any more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #pass(): void {
    this.#tick++;
    const now = performance.now();
    const lateMs = now - this.#tickedAt - this.#tickMs;
    if (lateMs > Math.max(LATE_MS, this.#tickMs * LATE_TICKS)) this.#deafUntil = this.#tick + TICKS;
    this.#tickedAt = now;
    const slice = this.#tick % TICKS;
    const isBehind = this.#due.length > 0;
    for (const monitored of this.#slices[slice] ?? []) this.#due.push(monitored);
    this.#slices[slice]?.clear();
    if (!isBehind) this.#visitSome();
    this.#ticked();
  }

  readonly #visitSome = (): void => {
    const until = Math.min(this.#visited + VISITS_A_TURN, this.#due.length);
    for (; this.#visited < until; this.#visited++) {
      const monitored = this.#due[this.#visited];
      // One visit may end another connection that is due.
      if (monitored?.ended === false) this.#visit(monitored);
    }
    if (this.#visited < this.#due.length) {
      this.#schedule(this.#visitSome);
      return;
    }
    this.#due.length = 0;
    this.#visited = 0;
  };

  #visit(monitored: Monitored): void {
    const { pulse } = monitored;
    if (pulse.asked && monitored.hasStirred()) {
      pulse.misses = 0;
    } else if (pulse.asked && this.#tick < this.#deafUntil) {
      // What it answered may be waiting to be read: it is asked again, and what it missed before counts on.
    } else if (pulse.asked) {
      pulse.misses++;
      monitored.missed(pulse.misses);
      if (pulse.misses >= this.#misses) {
        monitored.lost(pulse.misses);
        return;
      }
    }
    monitored.visited();
    if (monitored.ended) return;
    if (!pulse.asked && this.#tick - pulse.heardTick < TICKS) {
      this.#visitAt(pulse.heardTick + TICKS, monitored);
      return;
    }
    pulse.asked = true;
    if (!monitored.ping()) pulse.asked = false;
    this.#visitAt(this.#tick + TICKS, monitored);
  }

  #visitAt(tick: number, monitored: Monitored): void {
    const slice = tick % TICKS;
    monitored.pulse.slice = slice;
    this.#slices[slice]?.add(monitored);
  }
}
