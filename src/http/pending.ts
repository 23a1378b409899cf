import type { Place } from "../core/link/places.ts";

/** Milliseconds that a handshake may take, from its request to its open socket. */
const HANDSHAKE_MS = 10_000;

/** A handshake that has a place and no connection yet. It gives its place back where it is abandoned, or not finished in time. */
export class PendingHandshake {
  readonly #place: Place;
  readonly #timer: ReturnType<typeof setTimeout>;
  #onLate: () => void = () => {};

  constructor(place: Place) {
    this.#place = place;
    this.#timer = setTimeout(() => {
      place.release();
      this.#onLate();
    }, HANDSHAKE_MS);
  }

  /** Whether its time is over. */
  get isLate(): boolean {
    return this.#place.isReleased;
  }

  /** Waits for the work, for as long as the handshake has time. @returns `undefined` where the time is over first. */
  async wait<T>(work: Promise<T>): Promise<T | undefined> {
    const late = new Promise<undefined>((resolve) => {
      this.#onLate = () => resolve(undefined);
    });
    return Promise.race([work, late]);
  }

  /** The socket is open. @returns The place, which belongs to the connection from now on; released where it came too late. */
  finish(): Place {
    clearTimeout(this.#timer);
    return this.#place;
  }

  /** The socket will never open, or is gone. Harmless when repeated. */
  readonly abandon = (): void => {
    clearTimeout(this.#timer);
    this.#place.release();
  };
}
