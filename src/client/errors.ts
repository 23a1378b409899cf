import type { ErrorCode, SendError } from "../core/protocol/errors.ts";

/** Codes of the refusals after which the client does not reconnect; docs/protocol.md explains them. */
export type RefusalCode = "unauthorized" | "forbidden" | "bad_id" | "forbidden_origin" | "not_found";

/**
 * The reason why a send, a command or the connection failed. Besides the relay's codes there are these:
 *
 * - `bad_data`: the data is neither bytes nor JSON; nothing was sent
 * - `queue_full`: too many sends and commands have no outcome yet; nothing was sent
 * - `connection_lost`: the session ended before the outcome came; the message may have arrived
 * - `closed`: the client is closed
 * - `aborted`: the signal of the send was aborted
 */
export class RelayError extends Error {
  override readonly name = "RelayError";
  readonly code: ErrorCode | RefusalCode | "bad_data" | "queue_full" | "connection_lost" | "closed" | "aborted";
  /** Whether the same request may succeed later. */
  readonly temporary: boolean;

  constructor(code: RelayError["code"], message: string, temporary: boolean) {
    super(message);
    this.code = code;
    this.temporary = temporary;
  }
}

/** Returns the promise, changed so that an unhandled rejection does not end the process. */
export function ignorable<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

/** Makes a RelayError of the error in a frame. */
export function toRelayError({ code, message, temporary }: Omit<SendError, "subject">): RelayError {
  return new RelayError(code, message, temporary);
}
