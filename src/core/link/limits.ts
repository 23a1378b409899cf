/** What one relay and one connection may take up. */
export interface Limits {
  /** The largest frame that a client may send, in bytes of payload, its address included. */
  readonly maxMessageBytes: number;
  /** With more than this waiting for a connection, in bytes, further messages to it are refused. */
  readonly maxBufferedBytes: number;
  /** Memory for all that clients make the relay hold, in bytes: messages that wait, sessions that are away, rooms and watches. One that is counted takes four. */
  readonly maxTotalBufferedBytes: number;
  /** Connections open at the same time. */
  readonly maxConnections: number;
  /** Sessions at the same time, those without a connection among them. */
  readonly maxSessions: number;
  /** Rooms that one session may be in. */
  readonly maxRoomsPerSession: number;
  /** Ids that one session may watch. */
  readonly maxWatchesPerSession: number;
  /** Messages that wait for one session: those that it did not acknowledge, and those that came while it was away. */
  readonly maxMailboxMessages: number;
  /** The same in bytes; UTF-16 units where a message is kept as a string. */
  readonly maxMailboxBytes: number;
  /** Frames that one session may send in a second, over all its connections. */
  readonly maxMessagesPerSecond: number;
  /** Frames that it may send at once after a pause, at most twice what it may in a second. */
  readonly maxMessageBurst: number;
  /** Bytes of payload that one session may send in a second; text counts as UTF-8. */
  readonly maxBytesPerSecond: number;
}

/** The limits of a relay that was given none. */
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

/** Sends whose outcome a session remembers, so that the same `ackId` again sends nothing twice. */
export const REMEMBERED_ACKS = 256;
