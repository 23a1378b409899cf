import type { CloseCode } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Limits } from "./limits.ts";
import { Link, type LinkCare, type LinkOwner } from "./link.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { Place } from "./places.ts";
import { type Schedule, Turn } from "./turn.ts";

export interface LinksOptions {
  readonly limits: Limits;
  readonly heartbeatMs: number;
  readonly heartbeatMisses: number;
  readonly closeTimeoutMs: number;
  readonly schedule: Schedule;
}

/** The links of all open sockets of a relay, and what they share. */
export class Links implements LinkCare {
  readonly limits: Limits;
  readonly budget: MemoryBudget;
  readonly turn: Turn;
  readonly heartbeat: Heartbeat;
  readonly closeTimeoutMs: number;
  readonly #links = new Set<Link>();
  #lastReleased = (): void => {};

  constructor({ limits, heartbeatMs, heartbeatMisses, closeTimeoutMs, schedule }: LinksOptions) {
    this.limits = limits;
    this.closeTimeoutMs = closeTimeoutMs;
    this.budget = new MemoryBudget(limits, () => this.#links);
    this.turn = new Turn(schedule);
    this.heartbeat = new Heartbeat({
      intervalMs: heartbeatMs,
      misses: heartbeatMisses,
      schedule,
      ticked: () => this.budget.recount(),
    });
  }

  /** Number of open sockets, those that are closing among them. */
  get size(): number {
    return this.#links.size;
  }

  opened(link: Link): void {
    this.#links.add(link);
  }

  released(link: Link): void {
    this.#links.delete(link);
    if (this.#links.size === 0) this.#lastReleased();
  }

  /**
   * Closes a connection with the code; nothing begins with it.
   *
   * @param place Released when the socket is gone.
   */
  refuse(connection: Connection, closeCode: CloseCode, place?: Place): Link {
    const link = new Link(connection, this, NOBODY, place);
    link.close(closeCode);
    return link;
  }

  /** Stops the heartbeat and closes every connection with the code. */
  close(closeCode: CloseCode): void {
    this.heartbeat.stop();
    for (const link of this.#links) link.close(closeCode);
  }

  /** Waits until every socket is gone; drops those that are still there after `closeTimeoutMs`. */
  async drain(): Promise<void> {
    if (this.#links.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.closeTimeoutMs);
      this.#lastReleased = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const link of this.#links) link.terminate();
  }
}

/** Owner of a refused connection; ignores every event. */
const NOBODY: LinkOwner = {
  rate: undefined,
  received() {},
  ponged() {},
  missed() {},
  beat() {},
  ended() {},
  evicted() {},
  failed() {},
};
