/**
 * A close code with its reason. Codes are those of RFC 6455 §7.4.1 if one fits. After 4000–4499 a client should
 * reconnect, after 4500–4999 it should not.
 */
export interface CloseCode {
  readonly code: number;
  /** At most 123 bytes of UTF-8 (RFC 6455 §5.5.1). */
  readonly reason: string;
  /** Whether a client should connect again. */
  readonly reconnect: boolean;
}

/** Close codes of the relay. docs/protocol.md lists them together with the codes of the WebSocket layer. */
export const CLOSE_CODES = {
  goingAway: { code: 1001, reason: "The relay is shutting down", reconnect: true },
  rateExceeded: { code: 1008, reason: "The client kept sending more than it may", reconnect: false },
  tooLarge: { code: 1009, reason: "The message is larger than the relay takes", reconnect: false },
  internal: { code: 1011, reason: "The relay failed on this connection", reconnect: true },
  restarting: { code: 1012, reason: "The relay restarts: connect again", reconnect: true },
  tryAgainLater: { code: 1013, reason: "The relay has no place left", reconnect: true },
  tooSlow: { code: 4000, reason: "What was sent to this connection was not read in time", reconnect: true },
  expired: { code: 4002, reason: "The token has expired: connect with a new one", reconnect: true },
  noMemory: { code: 4003, reason: "The relay has no memory left for this message", reconnect: true },
  disconnected: { code: 4004, reason: "The server closed this connection: connect again", reconnect: true },
  replaced: { code: 4500, reason: "The session goes on over another connection", reconnect: false },
  unauthorized: { code: 4501, reason: "The client showed no good token", reconnect: false },
  forbidden: { code: 4503, reason: "This client may not connect", reconnect: false },
  notFound: { code: 4504, reason: "There is no relay at this address", reconnect: false },
  removed: { code: 4505, reason: "The server disconnected this client", reconnect: false },
} as const satisfies Record<string, CloseCode>;

/**
 * Whether a session can be resumed after its connection closed with this code: the client or the relay sent 4000–4499,
 * or the connection was lost. 1006 stands for a lost connection: neither side can send it.
 */
export function allowsResume(code: number): boolean {
  return code === 1006 || (code >= 4000 && code <= 4499);
}
