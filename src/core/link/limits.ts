/** Limits of a relay, of a session and of a connection. Each must be positive; `Infinity` sets none. */
export interface Limits {
  /** Largest frame that a client may send, in bytes of its payload, including the address. */
  readonly maxMessageBytes: number;
  /** Backlog of one connection, in bytes, above which the relay refuses further messages to it. */
  readonly maxBufferedBytes: number;
  /**
   * Process memory for everything that clients make the relay hold, in bytes: queued messages, sessions that are away,
   * rooms and watches. The relay counts a quarter of these bytes, as each counted byte takes four of the process.
   */
  readonly maxTotalBufferedBytes: number;
  /** Connections that may be open at the same time. */
  readonly maxConnections: number;
  /** Sessions that may exist at the same time, including those without a connection. */
  readonly maxSessions: number;
  /** Rooms that one session may be in. */
  readonly maxRoomsPerSession: number;
  /** Ids that one session may watch. */
  readonly maxWatchesPerSession: number;
  /** Messages in the mailbox of one session: unacknowledged ones, and those that came while it was away. */
  readonly maxMailboxMessages: number;
  /** Bytes of the messages in the mailbox of one session; UTF-16 units for messages that are kept as strings. */
  readonly maxMailboxBytes: number;
  /** Frames per second that one session may send, over all its connections. */
  readonly maxMessagesPerSecond: number;
  /** Frames that one session may send at once after a pause; never more than twice `maxMessagesPerSecond`. */
  readonly maxMessageBurst: number;
  /** Bytes of payload per second that one session may send; text counts as UTF-8. */
  readonly maxBytesPerSecond: number;
}

/** Limits of a relay whose options set none. */
export const DEFAULT_LIMITS: Limits = {
  maxMessageBytes: 1_048_576,
  maxBufferedBytes: 1_048_576,
  maxTotalBufferedBytes: 268_435_456,
  maxConnections: Number.POSITIVE_INFINITY,
  maxSessions: Number.POSITIVE_INFINITY,
  maxRoomsPerSession: 100,
  maxWatchesPerSession: 100,
  maxMailboxMessages: 1000,
  maxMailboxBytes: 1_048_576,
  maxMessagesPerSecond: Number.POSITIVE_INFINITY,
  maxMessageBurst: Number.POSITIVE_INFINITY,
  maxBytesPerSecond: Number.POSITIVE_INFINITY,
};

/** Beats that a connection may stay over `maxBufferedBytes` before it is closed. */
export const SLOW_BEATS = 3;

/** Outcomes that a session remembers, so that a send that is repeated with its `ackId` is not delivered twice. */
export const REMEMBERED_ACKS = 256;
