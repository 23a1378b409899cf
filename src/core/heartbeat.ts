/** What the heartbeat looks after. Its four fields belong to the heartbeat. */
export interface Pulse {
  /** Where it waits for its next visit. */
  slice: number;
  /** The tick in which the last sign of life came. */
  heardTick: number;
  /** Whether a ping went out since then. */
  asked: boolean;
  /** Beats let pass without any sign of life since the first ping that was not answered. */
  misses: number;
  /** Whether the connection is over. */
  readonly ended: boolean;
  /** Whether anything came from the client since the last ping that `heard` was not told of: a part of a large frame. */
  hasStirred(): boolean;
  /** Asks for a sign of life. */
  ping(): void;
  /** A visit of the heartbeat, at least once a beat, for what else is due by then. */
  visited(): void;
  /** A beat has passed in silence; `misses` counts it. */
  missed(): void;
  /** The last miss that is allowed has been used up. */
  lost(): void;
}

export interface HeartbeatOptions {
  /** Milliseconds of one beat. */
  readonly intervalMs: number;
  /** Beats in silence, each after a ping, until the connection counts as lost. */
  readonly misses: number;
}

/** Turns of the event loop that one beat is spread over. */
const SLICES = 25;

/** How many of them before a whole beat of silence a ping may go out. */
const EARLY_SLICES = 5;

/**
 * Finds the connections that are gone, with one timer for all of them.
 *
 * A connection is pinged after a beat of silence at the latest, and never while it is talking: its next ping is due
 * between four fifths of a beat and one beat after it was last heard, spread so that connections that talked at once are not
 * pinged at once. Each further beat in silence is a miss. With `misses` 3 a connection is lost between 3.8 and 4
 * beats after it was last heard, and never before three whole beats have passed since the first ping that it left
 * unanswered. Time is counted in ticks of the timer: a clock that jumps or a process that was suspended loses nobody.
 */
export class Heartbeat {
  readonly #misses: number;
  readonly #slices: Set<Pulse>[] = Array.from({ length: SLICES }, () => new Set());
  readonly #timer: ReturnType<typeof setInterval>;
  #tick = 0;

  /** @throws {RangeError} When an option is not a positive number. */
  constructor(options: HeartbeatOptions) {
    const { intervalMs } = options;
    if (!(intervalMs > 0 && Number.isFinite(intervalMs)))
      throw new RangeError(`Cannot start heartbeat: intervalMs is ${intervalMs}`);
    if (!(options.misses >= 1)) throw new RangeError(`Cannot start heartbeat: misses is ${options.misses}`);
    this.#misses = options.misses;
    this.#timer = setInterval(() => this.#beat(), intervalMs / SLICES);
  }

  /** Looks after the pulse from now on, until it is removed. */
  add(pulse: Pulse): void {
    this.heard(pulse);
    this.#visitAt(this.#tick + SLICES - randomBelow(SLICES / 2), pulse);
  }

  /** Forgets the pulse, which has ended. */
  remove(pulse: Pulse): void {
    this.#slices[pulse.slice]?.delete(pulse);
  }

  /** A sign of life came. */
  heard(pulse: Pulse): void {
    pulse.heardTick = this.#tick;
    pulse.asked = false;
    pulse.misses = 0;
  }

  /** Whole beats since the tick. */
  beatsSince(tick: number): number {
    return Math.floor((this.#tick - tick) / SLICES);
  }

  /** The present tick, for `beatsSince`. */
  get now(): number {
    return this.#tick;
  }

  /** Ends the timer; nobody is looked after any more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    this.#tick++;
    const slice = this.#tick % SLICES;
    const due = this.#slices[slice];
    if (due === undefined || due.size === 0) return;
    this.#slices[slice] = new Set();
    // One visit may end another pulse that is due.
    for (const pulse of due) if (!pulse.ended) this.#visit(pulse);
  }

  #visit(pulse: Pulse): void {
    if (pulse.asked && pulse.hasStirred()) {
      pulse.misses = 0;
    } else if (pulse.asked) {
      pulse.misses++;
      pulse.missed();
      if (pulse.misses >= this.#misses) {
        pulse.lost();
        return;
      }
    }
    pulse.visited();
    if (pulse.ended) return;
    if (!pulse.asked && this.#tick - pulse.heardTick <= SLICES - EARLY_SLICES) {
      this.#visitAt(pulse.heardTick + SLICES - randomBelow(EARLY_SLICES), pulse);
      return;
    }
    pulse.asked = true;
    pulse.ping();
    this.#visitAt(this.#tick + SLICES, pulse);
  }

  #visitAt(tick: number, pulse: Pulse): void {
    pulse.slice = tick % SLICES;
    this.#slices[pulse.slice]?.add(pulse);
  }
}

/** A whole number from 0 to below `bound`. */
function randomBelow(bound: number): number {
  return Math.floor(Math.random() * bound);
}
