/** What one relay and one connection may take up. */
export interface Limits {
  /** The largest frame that a client may send, in bytes of payload, its address included. */
  readonly maxMessageBytes: number;
  /** With more than this waiting for a connection, in bytes, further messages to it are refused. */
  readonly maxBufferedBytes: number;
  /** Connections open at the same time. */
  readonly maxConnections: number;
}

/** The limits of a relay that was given none. */
export const DEFAULT_LIMITS: Limits = {
  maxMessageBytes: 1_048_576,
  maxBufferedBytes: 1_048_576,
  maxConnections: Number.POSITIVE_INFINITY,
};

/** Beats that a connection may stay over `maxBufferedBytes` before it is closed. */
export const SLOW_BEATS = 3;
