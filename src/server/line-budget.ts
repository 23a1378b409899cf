const SECOND_MS = 1000;

/** Limits the lines of one kind in the log to a number per second, and reports how many were omitted. */
export class LineBudget {
  readonly #linesPerSecond: number;
  readonly #reportOmitted: (count: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #count = 0;

  /**
   * @param reportOmitted Receives the number of omitted lines, at the end of each second in which a line was omitted.
   */
  constructor(linesPerSecond: number, reportOmitted: (count: number) => void) {
    this.#linesPerSecond = linesPerSecond;
    this.#reportOmitted = reportOmitted;
  }

  /** Counts one line. @returns Whether the line may be written. */
  take(): boolean {
    this.#timer ??= setTimeout(() => this.#endSecond(), SECOND_MS);
    this.#count += 1;
    return this.#count <= this.#linesPerSecond;
  }

  #endSecond(): void {
    const omitted = this.#count - this.#linesPerSecond;
    this.#timer = undefined;
    this.#count = 0;
    if (omitted > 0) this.#reportOmitted(omitted);
  }
}
