import type { ErrorCode } from "../core/errors.ts";

/**
 * Why a send or a command failed. Besides the relay's codes: `connection_lost`, the session ended before its outcome was known, so
 * that it may or may not have arrived; `closed`, this side closed; `aborted`, its own signal did.
 */
export class RelayError extends Error {
  override readonly name = "RelayError";
  readonly code: ErrorCode | "connection_lost" | "closed" | "aborted";
  /** Whether the same again may succeed later. */
  readonly temporary: boolean;

  constructor(code: RelayError["code"], message: string, temporary: boolean) {
    super(message);
    this.code = code;
    this.temporary = temporary;
  }
}
