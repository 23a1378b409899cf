/** Buckets for each doubling of the time: neighbours differ by 1.1 %. */
const BUCKETS_PER_OCTAVE = 64;
const SMALLEST_MS = 0.001;
/** From 1 µs to 17 minutes. */
const BUCKETS = 30 * BUCKETS_PER_OCTAVE;

/** Counts of times in buckets of equal ratio. Adding a time allocates nothing. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  add(ms: number): void {
    const bucket = Math.floor(Math.log2(ms / SMALLEST_MS) * BUCKETS_PER_OCTAVE);
    const index = Math.max(0, Math.min(BUCKETS - 1, bucket));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** Returns the percentile in milliseconds, within 1.1 %; NaN without times. */
  percentile(percent: number): number {
    let left = (this.#total * percent) / 100;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i] ?? 0;
      if (left < 0) return SMALLEST_MS * 2 ** ((i + 0.5) / BUCKETS_PER_OCTAVE);
    }
    return Number.NaN;
  }
}
