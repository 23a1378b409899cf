const SECOND_MS = 1000;

/** Lets a number of lines a second into the log, and then says how many more there would have been. */
export class LineBudget {
  readonly #linesPerSecond: number;
  readonly #tellRest: (count: number) => void;
  #second: ReturnType<typeof setTimeout> | undefined;
  #count = 0;

  /** @param tellRest Receives how many were left out, at the end of a second in which any was. */
  constructor(linesPerSecond: number, tellRest: (count: number) => void) {
    this.#linesPerSecond = linesPerSecond;
    this.#tellRest = tellRest;
  }

  /** @returns Whether this line may be written. Each call counts as one line. */
  allows(): boolean {
    this.#second ??= setTimeout(() => this.#endSecond(), SECOND_MS);
    this.#count += 1;
    return this.#count <= this.#linesPerSecond;
  }

  #endSecond(): void {
    const rest = this.#count - this.#linesPerSecond;
    this.#second = undefined;
    this.#count = 0;
    if (rest > 0) this.#tellRest(rest);
  }
}
