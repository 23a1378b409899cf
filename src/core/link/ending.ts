import { allowsResume, type CloseCode } from "./close-codes.ts";

/** How a connection ended: which side ended it, and with which close code. */
export interface Ending {
  readonly by: "client" | "relay" | "heartbeat";
  /** Close code of RFC 6455 §7.4.1; 1006 if no close frame came. */
  readonly code: number;
  readonly reason: string;
  /** Whether the client may resume its session: the connection was lost, or its close code allows that. */
  readonly mayReturn: boolean;
}

/** Codes with which a runtime closes the connection of a client that broke the protocol (RFC 6455 §7.4.1). */
const RUNTIME_CODES: readonly number[] = [1002, 1007, 1008, 1009];

/** Describes the end of a connection that the relay closes with the code. */
export function endedByRelay({ code, reason }: CloseCode): Ending {
  return { by: "relay", code, reason, mayReturn: allowsResume(code) };
}

/** Describes the end of a connection that the client closed or lost, or that the runtime closed for an error. */
export function endedBySocket(code: number, reason: string): Ending {
  return { by: RUNTIME_CODES.includes(code) ? "relay" : "client", code, reason, mayReturn: allowsResume(code) };
}

/** Describes the end of a connection that missed too many beats. */
export function endedByHeartbeat(misses: number): Ending {
  const reason = `${misses} ${misses === 1 ? "beat" : "beats"} missed`;
  return { by: "heartbeat", code: 1006, reason, mayReturn: true };
}
