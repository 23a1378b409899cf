import type { ErrorCode, SendError } from "../core/protocol/errors.ts";

/** Codes with which the relay refuses a client for good; docs/protocol.md lists them. */
export type RefusalCode = "unauthorized" | "forbidden" | "bad_id" | "forbidden_origin" | "not_found";

/**
 * Says why a send, a command or the connection failed. Besides the codes of the relay:
 *
 * - `bad_data`: the data is neither bytes nor JSON; nothing was sent
 * - `queue_full`: too much waits for the relay already; nothing was sent
 * - `connection_lost`: the session ended before the outcome of the send was known; it may have arrived
 * - `closed`: the client is closed
 * - `aborted`: the signal of the send was aborted
 */
export class RelayError extends Error {
  override readonly name = "RelayError";
  readonly code: ErrorCode | RefusalCode | "bad_data" | "queue_full" | "connection_lost" | "closed" | "aborted";
  /** Whether the same again may succeed later. */
  readonly temporary: boolean;

  constructor(code: RelayError["code"], message: string, temporary: boolean) {
    super(message);
    this.code = code;
    this.temporary = temporary;
  }
}

/** Returns the promise; its rejection ends no process where the app ignores the promise. */
export function ignorable<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

/** Makes an error of what a frame says. */
export function toRelayError({ code, message, temporary }: Omit<SendError, "subject">): RelayError {
  return new RelayError(code, message, temporary);
}
