import { CLOSE_CODES } from "../link/close-codes.ts";
import { ERROR_CODES, type ErrorCode } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/protocol.ts";

/** Counts of what the clients of one protocol sent and received, or of what the server sent. They only grow. */
export class MessageCounts {
  /** Sends whose message was handed to the receiver's connection, and publishes. */
  delivered = 0;
  /** Sends whose message waits in the receiver's mailbox. */
  queued = 0;
  /** Publishes; part of `delivered`. */
  publishes = 0;
  /** Sessions that the publishes reached: the sum of their `recipients`. */
  recipients = 0;
  /** Frames that failed, by the code of the error. */
  readonly failed = Object.fromEntries(ERROR_CODES.map((code) => [code, 0])) as Record<ErrorCode, number>;
  /** Payload of all frames that came, in bytes; UTF-16 units where the runtime gives text as strings. */
  receivedBytes = 0;
  /** Messages that were sent, in bytes; UTF-16 units of texts that are sent as strings. */
  sentBytes = 0;
  /** Beats that passed without a sign of life. */
  misses = 0;

  /** Counts the outcome of a frame. */
  count(outcome: Outcome): void {
    if (outcome.outcome === "delivered") {
      this.delivered++;
      if (outcome.recipients === undefined) return;
      this.publishes++;
      this.recipients += outcome.recipients;
    } else if (outcome.outcome === "queued") {
      this.queued++;
    } else if (outcome.outcome === "failed") {
      this.failed[outcome.error.code]++;
    }
  }
}

/** Code of the client library for a connection that it gives up, to resume its session over another one. */
const GIVE_UP_CODE = 4001;

/** Close codes that are counted one by one: those of RFC 6455 and of the relay. A client may send any other. */
const COUNTED_CODES: ReadonlySet<number> = new Set([
  ...Array.from({ length: 16 }, (_, index) => 1000 + index),
  ...Object.values(CLOSE_CODES).map(({ code }) => code),
  GIVE_UP_CODE,
]);

/** Counts of the ends of connections, by close code. */
export class CloseCounts {
  readonly #counts = new Map<string, number>();

  count(code: number): void {
    const name = COUNTED_CODES.has(code) ? String(code) : "other";
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Returns the counts of the codes that came; `other` for all codes that neither RFC 6455 nor the relay has. */
  toRecord(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
