/** Pseudo-random numbers: the same seed gives the same numbers (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns a whole number from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Returns a whole number from `min` to `max` whose logarithm is uniform: 1 to 10 is as likely as 10 to 100. */
  spread(min: number, max: number): number {
    return Math.round(min * (max / min) ** this.next());
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }
}

/** Returns the given seed, which repeats an earlier run, or a new one. */
export function chooseSeed(given: string | undefined): number {
  return given === undefined || given === "" ? Math.floor(Math.random() * 2 ** 32) : Number(given);
}
