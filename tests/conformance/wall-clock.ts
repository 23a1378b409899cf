import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";
const LIBRARY = `/usr/lib/${MACHINE}-linux-gnu/faketime/libfaketime.so.1`;

/** Whether Debian's libfaketime is installed. */
export const hasFakeTime: boolean = existsSync(LIBRARY);

/** Wall clock of processes that a test can set while they run. Their monotonic clock is unaffected. */
export class WallClock {
  readonly #directory = mkdtempSync(join(tmpdir(), "wall-clock-"));
  readonly #file = join(this.#directory, "offset");

  /** Starts at the right time. */
  constructor() {
    onTestFinished(() => rmSync(this.#directory, { recursive: true }));
    this.set(0);
  }

  /** Environment variables that make a process use this clock. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Sets the clock this many days ahead of the right time; a negative number sets it back. */
  set(days: number): void {
    // A rename is atomic: the processes read the file each time they ask for the time.
    writeFileSync(`${this.#file}.new`, `${days < 0 ? "" : "+"}${days}d\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
