import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";
const LIBRARY = `/usr/lib/${MACHINE}-linux-gnu/faketime/libfaketime.so.1`;

/** Whether Debian's libfaketime is there. */
export const hasFakeTime: boolean = existsSync(LIBRARY);

/** A wall clock for processes, which can be set while they run. Clocks that nobody sets are left alone. */
export class WallClock {
  readonly #directory = mkdtempSync(join(tmpdir(), "wall-clock-"));
  readonly #file = join(this.#directory, "offset");

  /** It shows the right time at first. */
  constructor() {
    onTestFinished(() => rmSync(this.#directory, { recursive: true }));
    this.set(0);
  }

  /** What a process must be started with. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Sets it, so many days from the right time. */
  set(days: number): void {
    // In one step: the processes read it whenever they ask for the time.
    writeFileSync(`${this.#file}.new`, `${days < 0 ? "" : "+"}${days}d\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
