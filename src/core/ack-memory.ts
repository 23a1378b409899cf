import { REMEMBERED_ACKS } from "./limits.ts";
import type { Outcome } from "./protocol/protocol.ts";

/** The outcomes of a session's latest sends, by their `ackId`, so that none is sent twice. */
export class AckMemory {
  readonly #outcomes = new Map<number, Outcome>();

  find(ackId: number): Outcome | undefined {
    return this.#outcomes.get(ackId);
  }

  /** Remembers the outcome, and forgets the oldest where there are too many. */
  remember(ackId: number, outcome: Outcome): void {
    this.#outcomes.set(ackId, outcome);
    if (this.#outcomes.size <= REMEMBERED_ACKS) return;
    for (const oldest of this.#outcomes.keys()) {
      this.#outcomes.delete(oldest);
      return;
    }
  }
}
