import type { Link } from "../link/link.ts";
import type { Mailbox } from "./mailbox.ts";

/** Time until a catch-up that filled its connection's backlog looks for room again, in milliseconds. */
const PACE_MS = 20;

/**
 * Sends a resumed session the messages that it missed, no faster than its connection takes them. So a client that
 * resumes again and again without reading has no larger backlog than any other.
 */
export class CatchUp {
  readonly #mailbox: Mailbox;
  readonly #link: Link;
  readonly #onDone: () => void;
  #lastSentId = 0;

  /** @param onDone Called once, when every message has been sent. */
  constructor(mailbox: Mailbox, link: Link, onDone: () => void) {
    this.#mailbox = mailbox;
    this.#link = link;
    this.#onDone = onDone;
  }

  /** Sends as many messages as the connection has room for. @returns Whether the catch-up is over. */
  proceed(): boolean {
    if (this.#link.hasEnded) return true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (!this.#link.makeRoomForCatchUp(next.size)) return false;
      this.#link.sendUnchecked(next);
      this.#lastSentId = next.number;
    }
    this.#onDone();
    return true;
  }

  #next() {
    return this.#mailbox.firstAfter(this.#lastSentId);
  }
}

/** All catch-ups of a relay that are not over. One timer runs while there are any. */
export class CatchUps {
  readonly #running = new Set<CatchUp>();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** Runs the catch-up until it is over. */
  start(catchUp: CatchUp): void {
    if (catchUp.proceed()) return;
    this.#running.add(catchUp);
    this.#timer ??= setTimeout(this.#proceedAll, PACE_MS);
  }

  /** Ends the catch-up, as its connection has ended. */
  stop(catchUp: CatchUp): void {
    this.#running.delete(catchUp);
    if (this.#running.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #proceedAll = (): void => {
    this.#timer = undefined;
    for (const catchUp of this.#running) if (catchUp.proceed()) this.#running.delete(catchUp);
    if (this.#running.size > 0) this.#timer = setTimeout(this.#proceedAll, PACE_MS);
  };
}
