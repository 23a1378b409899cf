/** A bounded number of places, each held by one connection or by a handshake that may become one. */
export class Places {
  readonly #max: number;
  #used = 0;
  /** One function for all places: a closure per place would cost memory per connection. */
  readonly #giveBack = (): void => {
    this.#used--;
  };

  constructor(max: number) {
    this.#max = max;
  }

  /** Number of places that are in use. */
  get used(): number {
    return this.#used;
  }

  /** Whether every place is in use. */
  get areFull(): boolean {
    return this.#used >= this.#max;
  }

  /**
   * Takes a place.
   *
   * @param onReleased Runs once, when the place is released.
   * @returns `undefined` if no place is left.
   */
  take(onReleased?: () => void): Place | undefined {
    if (this.areFull) return undefined;
    this.#used++;
    return new Place(this.#giveBack, onReleased);
  }
}

/**
 * One place, in use until it is released. It lives as long as its connection, so its callbacks must not keep the
 * request in memory.
 */
export class Place {
  #giveBack: (() => void) | undefined;
  #onReleased: (() => void) | undefined;

  constructor(giveBack: () => void, onReleased?: () => void) {
    this.#giveBack = giveBack;
    this.#onReleased = onReleased;
  }

  get isReleased(): boolean {
    return this.#giveBack === undefined;
  }

  /** Gives the place back. Harmless when repeated. */
  release(): void {
    const [giveBack, onReleased] = [this.#giveBack, this.#onReleased];
    this.#giveBack = this.#onReleased = undefined;
    giveBack?.();
    onReleased?.();
  }
}
