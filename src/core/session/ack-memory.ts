import { REMEMBERED_ACKS } from "../link/limits.ts";
import type { ErrorMaker } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/protocol.ts";

/** An outcome in little memory: the error's maker for a failure, the number of recipients for a publish. */
type CompactOutcome = ErrorMaker | number | Outcome;

/**
 * Remembers the outcomes of a session's latest sends by their `ackId`, so that no send is delivered twice: 256 of the
 * present connection, and 256 of all connections before it. The two are kept apart, so that a client that repeats many
 * sends after a resume does not push out the outcomes that it needs.
 *
 * Each memory is a ring in the order of sending. Most clients count their `ackId` up, and a number above all earlier
 * ones needs no search. A remembered outcome takes no text and no object of its own.
 */
export class AckMemory {
  #earlier: AckMemory | undefined = undefined;
  readonly #ackIds: number[] = [];
  readonly #outcomes: CompactOutcome[] = [];
  /** Index of the next outcome in the ring. */
  #next = 0;
  #highestAckId = -1;

  /** Number of outcomes that are remembered. */
  get size(): number {
    return this.#ackIds.length + (this.#earlier?.size ?? 0);
  }

  /**
   * Returns the outcome of the send with this `ackId`; `undefined` if none is remembered.
   *
   * @param subject Recipient or room of the send. The text of an error names it.
   */
  find(ackId: number, subject: string): Outcome | undefined {
    const at = ackId > this.#highestAckId ? -1 : this.#ackIds.indexOf(ackId);
    if (at < 0) return this.#earlier?.find(ackId, subject);
    const kept = this.#outcomes[at];
    if (typeof kept === "number") return { outcome: "delivered", recipients: kept };
    return typeof kept === "function" ? { outcome: "failed", error: kept(subject) } : kept;
  }

  /** Remembers the outcome. Forgets the oldest one of this connection if there are too many. */
  remember(ackId: number, outcome: Outcome): void {
    const kept = compact(outcome);
    // Errors without a maker need not be remembered: nothing was sent, so nothing can be sent twice.
    if (kept !== undefined) this.#store(ackId, kept);
  }

  /** Returns the memory for the session's next connection. Do not use this one any more. */
  forNextConnection(): AckMemory {
    if (this.#ackIds.length === 0) return this;
    const earlier = this.#earlier ?? new AckMemory();
    for (let count = 0; count < this.#ackIds.length; count++) {
      // Until the ring is full, `#next` is behind its last outcome, and the remainder is 0.
      const at = (this.#next + count) % this.#ackIds.length;
      const [ackId, kept] = [this.#ackIds[at], this.#outcomes[at]];
      if (ackId !== undefined && kept !== undefined) earlier.#store(ackId, kept);
    }
    const next = new AckMemory();
    next.#earlier = earlier;
    return next;
  }

  #store(ackId: number, kept: CompactOutcome): void {
    const known = ackId > this.#highestAckId ? -1 : this.#ackIds.indexOf(ackId);
    const at = known < 0 ? this.#next : known;
    this.#ackIds[at] = ackId;
    this.#outcomes[at] = kept;
    if (known < 0) this.#next = (at + 1) % REMEMBERED_ACKS;
    if (ackId > this.#highestAckId) this.#highestAckId = ackId;
  }
}

/** Returns the part of the outcome to remember; `undefined` for an error that is not remembered. */
function compact(outcome: Outcome): CompactOutcome | undefined {
  if (outcome.outcome === "failed") return outcome.error.remake;
  return outcome.outcome === "delivered" ? (outcome.recipients ?? outcome) : outcome;
}
