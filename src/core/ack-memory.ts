import { REMEMBERED_ACKS } from "./limits.ts";
import type { Outcome } from "./protocol/protocol.ts";

/**
 * The outcomes of a session's latest sends, by their `ackId`, so that none is sent twice. A ring in order of sending: most clients
 * count up, and of a number above all before nothing can be remembered.
 */
export class AckMemory {
  readonly #ackIds: number[] = [];
  readonly #outcomes: Outcome[] = [];
  #next = 0;
  #highest = -1;

  find(ackId: number): Outcome | undefined {
    return ackId > this.#highest ? undefined : this.#outcomes[this.#ackIds.indexOf(ackId)];
  }

  /** Remembers the outcome, and forgets the oldest where there are too many. */
  remember(ackId: number, outcome: Outcome): void {
    const known = ackId > this.#highest ? -1 : this.#ackIds.indexOf(ackId);
    const at = known < 0 ? this.#next : known;
    this.#ackIds[at] = ackId;
    this.#outcomes[at] = outcome;
    if (known < 0) this.#next = (at + 1) % REMEMBERED_ACKS;
    if (ackId > this.#highest) this.#highest = ackId;
  }
}
