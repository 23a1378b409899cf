import { type CloseCode, meansReturn } from "./close-codes.ts";

/** How a connection ended: with a code, if one was sent, and by whom. */
export interface Ending {
  readonly by: "client" | "relay" | "heartbeat";
  /** RFC 6455 §7.4.1; 1006 where no close frame came. */
  readonly code: number;
  readonly reason: string;
  /** Whether the client may come back to its session: the connection was lost, or closed with a code that says so. */
  readonly mayReturn: boolean;
}

/** Codes with which a runtime ends a connection by itself (RFC 6455 §7.4.1): the client broke the protocol. */
const RUNTIME_CODES: readonly number[] = [1002, 1007, 1008, 1009];

/** Describes the end of a connection that the relay closes with the code. */
export function endedByRelay({ code, reason }: CloseCode): Ending {
  return { by: "relay", code, reason, mayReturn: meansReturn(code) };
}

/** Describes the end of a connection that its client closed or lost, or that the runtime closed for breaking the protocol. */
export function endedBySocket(code: number, reason: string): Ending {
  return { by: RUNTIME_CODES.includes(code) ? "relay" : "client", code, reason, mayReturn: meansReturn(code) };
}

/** Describes the end of a connection that missed too many beats. */
export function endedByHeartbeat(misses: number): Ending {
  const reason = `${misses} ${misses === 1 ? "beat" : "beats"} missed`;
  return { by: "heartbeat", code: 1006, reason, mayReturn: true };
}
