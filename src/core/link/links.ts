import type { CloseCode } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import { drainLinks } from "./drain.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Limits } from "./limits.ts";
import { Link, type LinkContext } from "./link.ts";
import type { LinkOwner } from "./link-owner.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { Place } from "./places.ts";
import { Slots } from "./slots.ts";
import { type Schedule, Turn } from "./turn.ts";

export interface LinksOptions {
  readonly limits: Limits;
  readonly heartbeatMs: number;
  readonly heartbeatMisses: number;
  readonly closeTimeoutMs: number;
  readonly schedule: Schedule;
}

/** All links of a relay whose sockets are open, and the context that they share. */
export class Links implements LinkContext {
  readonly limits: Limits;
  readonly budget: MemoryBudget;
  readonly turn: Turn;
  readonly heartbeat: Heartbeat;
  readonly closeTimeoutMs: number;
  readonly #links = new Slots<Link>();
  #onLastSocketGone = (): void => {};

  constructor({ limits, heartbeatMs, heartbeatMisses, closeTimeoutMs, schedule }: LinksOptions) {
    this.limits = limits;
    this.closeTimeoutMs = closeTimeoutMs;
    this.budget = new MemoryBudget(limits, () => this.#links);
    this.turn = new Turn(schedule);
    this.heartbeat = new Heartbeat({
      intervalMs: heartbeatMs,
      misses: heartbeatMisses,
      schedule,
      onTick: () => this.budget.recount(),
    });
  }

  /** Number of open sockets, including those that are closing. */
  get size(): number {
    return this.#links.size;
  }

  onOpen(link: Link): void {
    link.slot = this.#links.add(link);
  }

  onSocketGone(link: Link): void {
    this.#links.delete(link.slot);
    if (this.#links.size === 0) this.#onLastSocketGone();
  }

  /**
   * Closes a new connection with the code; no session begins.
   *
   * @param place Released when the socket is gone.
   */
  refuse(connection: Connection, closeCode: CloseCode, place?: Place): Link {
    const link = new Link(connection, this, NOBODY, place);
    link.startClosing(closeCode);
    return link;
  }

  /** Stops the heartbeat, and starts closing every connection with the code. */
  startClosing(closeCode: CloseCode): void {
    this.heartbeat.stop();
    for (const link of this.#links) link.startClosing(closeCode);
  }

  /** Closes the connections with the code, in even batches over the time; see `drainLinks`. */
  drain(closeCode: CloseCode, drainMs: number): Promise<void> {
    return drainLinks(this.#links, closeCode, drainMs);
  }

  /** Waits until every socket is gone. Drops those that are still open after `closeTimeoutMs`. */
  async untilGone(): Promise<void> {
    if (this.#links.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.closeTimeoutMs);
      this.#onLastSocketGone = () => {
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
  onFrame() {},
  onPong() {},
  onMiss() {},
  onBeat() {},
  onEnd() {},
  onEviction() {},
  onError() {},
};
