import { ERROR_CODES, type ErrorCode } from "../protocol/errors.ts";
import type { Outcome } from "../protocol/protocol.ts";

/** Counts of what the clients of one protocol sent and received, or of what the server sent. They only grow. */
export class MessageCounts {
  /** Sends whose message was handed to the receiver's connection, and publishes. */
  delivered = 0;
  /** Sends whose message waits in the receiver's mailbox. */
  queued = 0;
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
      if (outcome.recipients !== undefined) this.recipients += outcome.recipients;
    } else if (outcome.outcome === "queued") {
      this.queued++;
    } else if (outcome.outcome === "failed") {
      this.failed[outcome.error.code]++;
    }
  }
}
