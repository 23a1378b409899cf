/** Why the relay closes a connection: RFC 6455 §7.4.1 where it fits; 4000–4499 reconnect, 4500–4999 do not. */
export interface CloseCode {
  readonly code: number;
  /** At most 123 bytes of UTF-8 (RFC 6455 §5.5.1). */
  readonly reason: string;
  /** Whether a client gains anything by connecting again. */
  readonly reconnect: boolean;
}

/** Every code that the relay itself closes with; docs/protocol.md lists them with those of the WebSocket layer. */
export const CLOSE_CODES = {
  goingAway: { code: 1001, reason: "The relay is shutting down", reconnect: true },
  rateExceeded: { code: 1008, reason: "The client kept sending more than it may", reconnect: false },
  tooLarge: { code: 1009, reason: "The message is larger than the relay takes", reconnect: false },
  internal: { code: 1011, reason: "The relay failed on this connection", reconnect: true },
  tryAgainLater: { code: 1013, reason: "The relay has no place left", reconnect: true },
  tooSlow: { code: 4000, reason: "What was sent to this connection was not read in time", reconnect: true },
  noMemory: { code: 4003, reason: "The relay has no memory left for this message", reconnect: true },
  expired: { code: 4002, reason: "The token has expired: connect with a new one", reconnect: true },
  unauthorized: { code: 4501, reason: "The client showed no good token", reconnect: false },
  forbidden: { code: 4503, reason: "This client may not connect", reconnect: false },
  notFound: { code: 4504, reason: "There is no relay at this address", reconnect: false },
  replaced: { code: 4500, reason: "The session goes on over another connection", reconnect: false },
} as const satisfies Record<string, CloseCode>;

/**
 * Whether who closes with this code, client or relay, means the session to go on over another connection: 4000–4499.
 * 1006 is no code that anybody can send: the connection was lost.
 */
export function meansReturn(code: number): boolean {
  return code === 1006 || (code >= 4000 && code <= 4499);
}
