import type { Link } from "../link/link.ts";
import type { Mailbox } from "./mailbox.ts";

/** Time between two looks at how much of what they missed resumed sessions have taken, in milliseconds. */
const PACE_MS = 20;

/**
 * Sends a resumed session what it missed, no faster than its connection takes it: a client that resumes again and again and reads nothing
 * has no more in the buffers of its connection than any other.
 */
export class CatchUp {
  readonly #mailbox: Mailbox;
  readonly #link: Link;
  readonly #done: () => void;
  #sentSequenceId = 0;

  /** @param done Called once, when all has been sent. */
  constructor(mailbox: Mailbox, link: Link, done: () => void) {
    this.#mailbox = mailbox;
    this.#link = link;
    this.#done = done;
  }

  /** Sends what the connection has room for. @returns Whether there is nothing left to do. */
  proceed(): boolean {
    if (this.#link.isOver) return true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (!this.#link.makeRoomForCatchUp(next.size)) return false;
      this.#link.sendUnchecked(next);
      this.#sentSequenceId = next.number;
    }
    this.#done();
    return true;
  }

  #next() {
    return this.#mailbox.after(this.#sentSequenceId);
  }
}

/** All catch-ups of a relay that are not done, with one timer, which runs while there are any. */
export class CatchUps {
  readonly #running = new Set<CatchUp>();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** Has the catch-up go on until it is done. */
  start(catchUp: CatchUp): void {
    if (catchUp.proceed()) return;
    this.#running.add(catchUp);
    this.#timer ??= setTimeout(this.#proceed, PACE_MS);
  }

  /** Forgets the catch-up: its connection is over. */
  stop(catchUp: CatchUp): void {
    this.#running.delete(catchUp);
    if (this.#running.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #proceed = (): void => {
    this.#timer = undefined;
    for (const catchUp of this.#running) if (catchUp.proceed()) this.#running.delete(catchUp);
    if (this.#running.size > 0) this.#timer = setTimeout(this.#proceed, PACE_MS);
  };
}
