/** A bounded number of places, each held by one connection or by a handshake that may become one. */
export class Places {
  readonly #max: number;
  #taken = 0;
  /** One function for all places: a closure for each would cost each connection its memory. */
  readonly #giveBack = (): void => {
    this.#taken--;
  };

  constructor(max: number) {
    this.#max = max;
  }

  /** Number of places that are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether no place is left. */
  get areFull(): boolean {
    return this.#taken >= this.#max;
  }

  /**
   * Takes a place.
   *
   * @param onReleased Runs once, when the place is released.
   * @returns `undefined` where no place is left.
   */
  take(onReleased?: () => void): Place | undefined {
    if (this.areFull) return undefined;
    this.#taken++;
    return new Place(this.#giveBack, onReleased);
  }
}

/** One place, taken until it is released. It lives as long as its connection, so its callbacks must hold nothing of the request. */
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
