import { REMEMBERED_ACKS } from "../link/limits.ts";
import type { ErrorMaker } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/protocol.ts";

/** What is kept of an outcome: of a failure what makes it again, of a publish its recipients, of anything else the outcome itself. */
type Kept = ErrorMaker | number | Outcome;

/**
 * The outcomes of a session's latest sends, by their `ackId`, so that none is sent twice: the latest of this connection,
 * and the latest of all connections before it. A client that repeats more than are remembered pushes out none of those
 * that are. Each is a ring in order of sending: most clients count up, and of a number above all before nothing can be
 * remembered. It keeps no text and no object of its own for each.
 */
export class AckMemory {
  #earlier: AckMemory | undefined = undefined;
  readonly #ackIds: number[] = [];
  readonly #outcomes: Kept[] = [];
  #next = 0;
  #highest = -1;

  /** How many outcomes it remembers. */
  get size(): number {
    return this.#ackIds.length + (this.#earlier?.size ?? 0);
  }

  /** @param subject What the send is addressed to: a failure is told in its words. */
  find(ackId: number, subject: string): Outcome | undefined {
    const at = ackId > this.#highest ? -1 : this.#ackIds.indexOf(ackId);
    if (at < 0) return this.#earlier?.find(ackId, subject);
    const kept = this.#outcomes[at];
    if (typeof kept === "number") return { outcome: "delivered", recipients: kept };
    return typeof kept === "function" ? { outcome: "failed", error: kept(subject) } : kept;
  }

  /** Remembers the outcome, and forgets the oldest of this connection where there are too many. */
  remember(ackId: number, outcome: Outcome): void {
    const kept = compact(outcome);
    // Nothing was sent, and nothing can be sent twice.
    if (kept !== undefined) this.#keep(ackId, kept);
  }

  /** Returns the memory for the session's next connection. This one must not be used any more. */
  forNextConnection(): AckMemory {
    if (this.#ackIds.length === 0) return this;
    const earlier = this.#earlier ?? new AckMemory();
    for (let count = 0; count < this.#ackIds.length; count++) {
      // Until the ring is full, its next place is behind its last.
      const at = (this.#next + count) % this.#ackIds.length;
      const [ackId, kept] = [this.#ackIds[at], this.#outcomes[at]];
      if (ackId !== undefined && kept !== undefined) earlier.#keep(ackId, kept);
    }
    const next = new AckMemory();
    next.#earlier = earlier;
    return next;
  }

  #keep(ackId: number, kept: Kept): void {
    const known = ackId > this.#highest ? -1 : this.#ackIds.indexOf(ackId);
    const at = known < 0 ? this.#next : known;
    this.#ackIds[at] = ackId;
    this.#outcomes[at] = kept;
    if (known < 0) this.#next = (at + 1) % REMEMBERED_ACKS;
    if (ackId > this.#highest) this.#highest = ackId;
  }
}

function compact(outcome: Outcome): Kept | undefined {
  if (outcome.outcome === "failed") return outcome.error.remake;
  return outcome.outcome === "delivered" ? (outcome.recipients ?? outcome) : outcome;
}
