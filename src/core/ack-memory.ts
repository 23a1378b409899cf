import { REMEMBERED_ACKS } from "./limits.ts";
import type { Outcome } from "./protocol/protocol.ts";

/**
 * The outcomes of a session's latest sends, by their `ackId`, so that none is sent twice: the latest of this connection,
 * and the latest of all connections before it. A client that repeats more than are remembered pushes out none of those
 * that are. Each is a ring in order of sending: most clients count up, and of a number above all before nothing can be
 * remembered.
 */
export class AckMemory {
  #earlier: AckMemory | undefined = undefined;
  readonly #ackIds: number[] = [];
  readonly #outcomes: Outcome[] = [];
  #next = 0;
  #highest = -1;

  find(ackId: number): Outcome | undefined {
    const at = ackId > this.#highest ? -1 : this.#ackIds.indexOf(ackId);
    return at < 0 ? this.#earlier?.find(ackId) : this.#outcomes[at];
  }

  /** Remembers the outcome, and forgets the oldest of this connection where there are too many. */
  remember(ackId: number, outcome: Outcome): void {
    const known = ackId > this.#highest ? -1 : this.#ackIds.indexOf(ackId);
    const at = known < 0 ? this.#next : known;
    this.#ackIds[at] = ackId;
    this.#outcomes[at] = outcome;
    if (known < 0) this.#next = (at + 1) % REMEMBERED_ACKS;
    if (ackId > this.#highest) this.#highest = ackId;
  }

  /** Returns the memory for the session's next connection. This one must not be used any more. */
  forNextConnection(): AckMemory {
    if (this.#ackIds.length === 0) return this;
    const earlier = this.#earlier ?? new AckMemory();
    for (let count = 0; count < this.#ackIds.length; count++) {
      // Until the ring is full, its next place is behind its last.
      const at = (this.#next + count) % this.#ackIds.length;
      const [ackId, outcome] = [this.#ackIds[at], this.#outcomes[at]];
      if (ackId !== undefined && outcome !== undefined) earlier.remember(ackId, outcome);
    }
    const next = new AckMemory();
    next.#earlier = earlier;
    return next;
  }
}
