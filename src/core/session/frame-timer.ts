/** Frames of which one is timed. */
const FRAMES_PER_SAMPLE = 256;

/** Measures how long the relay takes for a frame of a client, for one frame in 256. */
export class FrameTimer {
  readonly #report: (durationMs: number) => void;
  #frames = 0;

  /** @param report Receives each measured time, in milliseconds. */
  constructor(report: (durationMs: number) => void) {
    this.#report = report;
  }

  /** Counts a frame. @returns Whether it must be timed. */
  isDue(): boolean {
    this.#frames = (this.#frames + 1) % FRAMES_PER_SAMPLE;
    return this.#frames === 0;
  }

  /** Runs what handles the frame, and reports how long that takes. */
  time(handle: () => void): void {
    const start = performance.now();
    handle();
    this.#report(performance.now() - start);
  }
}
