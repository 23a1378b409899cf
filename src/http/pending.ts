import type { Place } from "../core/link/places.ts";

/** Longest time from the request to the open socket, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * A handshake that holds a place and has no connection yet. It releases its place when it is abandoned or times out.
 */
export class PendingHandshake {
  readonly #place: Place;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #onTimeout: () => void = ignore;
  #hasEnded = false;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Starts the time of the handshake, if it has not ended in the turn of its request. */
  startTimeout(): void {
    if (this.#hasEnded) return;
    this.#timer ??= setTimeout(() => {
      this.#place.release();
      this.#onTimeout();
    }, HANDSHAKE_TIMEOUT_MS);
  }

  /** Whether the handshake has timed out. */
  get hasTimedOut(): boolean {
    return this.#place.isReleased;
  }

  /** Waits for the work until the handshake times out. @returns The result; `undefined` after the timeout. */
  async wait<T>(work: Promise<T>): Promise<T | undefined> {
    this.startTimeout();
    const timeout = new Promise<undefined>((resolve) => {
      this.#onTimeout = () => resolve(undefined);
    });
    return Promise.race([work, timeout]);
  }

  /**
   * Ends the handshake when the socket is open.
   *
   * @returns The connection's place, already released after the timeout.
   */
  finish(): Place {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    return this.#place;
  }

  /** Ends the handshake when its socket will never open, or is gone. Harmless when repeated. */
  readonly abandon = (): void => {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#place.release();
  };
}

function ignore(): void {}
