const SAMPLE_MS = 500;

/** Samples the resident memory of a process, until `stop`. */
export class MemorySamples {
  #samples: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param read Returns the present resident memory in bytes. */
  constructor(read: () => number) {
    this.#samples.push(read());
    this.#timer = setInterval(() => this.#samples.push(read()), SAMPLE_MS);
  }

  /** Returns the median, in bytes, of the samples since the last call, and drops them. */
  takeMedian(): number {
    const sorted = this.#samples.sort((one, other) => one - other);
    const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
    this.#samples = [];
    return median;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
