import type { Limits } from "./link/limits.ts";
import type { ErrorCode } from "./protocol/errors.ts";
import type { ProtocolName } from "./protocol/protocol.ts";

/** Why a command of the server failed; docs/protocol.md describes the codes. */
export interface CommandError {
  readonly code: ErrorCode;
  /** One sentence that states what failed and why. */
  readonly message: string;
  /** Whether the same command may succeed later. */
  readonly temporary: boolean;
}

/** Result of a command that failed. */
export interface Failed {
  readonly outcome: "failed";
  readonly error: CommandError;
}

/**
 * Result of a send. `delivered`: the message was handed to the receiver's open connection. `queued`: the relay keeps it
 * in the mailbox of a receiver that is away or catches up.
 */
export type SendResult = { readonly outcome: "delivered" | "queued" } | Failed;

/** Result of a publish. `recipients`: number of sessions that got the message, or keep it in their mailbox. */
export type PublishResult = { readonly outcome: "delivered"; readonly recipients: number } | Failed;

/** Result of any other command. */
export type CommandResult = { readonly outcome: "done" } | Failed;

/** Options of a publish. */
export interface PublishOptions {
  /** Ids of members that do not get the message: one, or several. Default: none. */
  readonly except?: string | readonly string[] | undefined;
}

/** Selects a page of a list. */
export interface PageQuery {
  /** Only ids, or rooms, that begin with this text. Default: all. */
  readonly prefix?: string | undefined;
  /** Maximum number of entries, 1 to 1000. Default: 100. */
  readonly limit?: number | undefined;
  /** The `cursor` of the page before. Default: the first page. */
  readonly cursor?: string | undefined;
}

/** Selects sessions to list. */
export interface SessionQuery extends PageQuery {
  /** Only members of this room. Default: all sessions. */
  readonly room?: string | undefined;
}

/** Selects rooms to list. */
export type RoomQuery = PageQuery;

/** A session, as hooks get it. */
export interface SessionInfo {
  readonly id: string;
  readonly protocol: ProtocolName;
  /** IP address of the client, by its latest connection; `undefined` if it is not known. */
  readonly address: string | undefined;
  /** Value that `authorize` returned as `data` for the latest connection; `undefined` without one. */
  readonly data: unknown;
}

/** A session and its state. Times are in milliseconds since 1970. */
export interface SessionDetails extends SessionInfo {
  /** Time at which the session began. */
  readonly since: number;
  /** `online`: it has a connection. `away`: it lost its connection, and may be resumed. */
  readonly state: "online" | "away";
  /** Time at which its latest connection began, or since which it is away. */
  readonly stateSince: number;
  /** Rooms that it is in, in order of joining. */
  readonly rooms: readonly string[];
  /** Number of ids that it watches. */
  readonly watches: number;
  /** Messages in its mailbox: those that its client has not acknowledged. 0 in `plain` and `relay.v1.text`. */
  readonly mailboxMessages: number;
  /** Size of these messages, in bytes; UTF-16 units for those that are kept as strings. */
  readonly mailboxBytes: number;
  /** Bytes for its connection that the operating system has not taken yet. */
  readonly sendBufferBytes: number;
  /** Beats in a row that its connection has let pass without a sign of life. */
  readonly misses: number;
}

/** One page of sessions, in the order in which they began. */
export interface SessionPage {
  readonly sessions: readonly SessionDetails[];
  /** Pass it to get the next page. Absent on the last page. */
  readonly cursor?: string | undefined;
}

/** A room. It exists while it has members. */
export interface RoomDetails {
  readonly room: string;
  /** Number of its members, including those that are away. */
  readonly members: number;
}

/** One page of rooms, in the order in which they got their first member. */
export interface RoomPage {
  readonly rooms: readonly RoomDetails[];
  /** Pass it to get the next page. Absent on the last page. */
  readonly cursor?: string | undefined;
}

/** How to disconnect a client. */
export interface DisconnectOptions {
  /**
   * Whether the session ends, with its mailbox, and frees its id. Otherwise only its connection is closed, and the
   * client may resume the session, if its protocol has that. Default: true, or what the code says.
   */
  readonly final?: boolean | undefined;
  /**
   * Close code. 4000 to 4499 keep the session; 1000, 3000 to 3999 and 4500 to 4999 end it. The client library connects
   * again after every code below 4500. Default: 4505, or 4004 if `final` is false.
   */
  readonly code?: number | undefined;
  /** Reason of the close frame, at most 123 bytes of UTF-8. Default: the text that belongs to the default code. */
  readonly reason?: string | undefined;
}

/** Numbers of the things that a relay holds. */
export interface Holdings {
  /** Open sockets, including those of the echo and those that are closing. */
  readonly connections: number;
  /** Sessions, including those that are away. */
  readonly sessions: number;
  /** Rooms that have members. */
  readonly rooms: number;
  /** Ids that are watched. */
  readonly watches: number;
  /** Messages in all mailboxes. */
  readonly waitingMessages: number;
  /**
   * Counted bytes of the memory budget: queued messages in mailboxes and backlogs (in UTF-16 units if they are
   * strings), sessions that are away, rooms and watches. Four times as many count against `maxTotalBufferedBytes`.
   */
  readonly bufferedBytes: number;
}

/** Holdings, bounds and counters of a relay. Counters only grow, from 0 when the relay is made. */
export interface RelayStats {
  /** Time since the relay was made, in milliseconds. */
  readonly uptimeMs: number;
  /** Numbers of the things that the relay holds now. */
  readonly holdings: Holdings;
  /** Sessions without a connection; part of `holdings.sessions`. */
  readonly away: number;
  /** Sessions by protocol. */
  readonly sessions: Readonly<Record<ProtocolName, number>>;
  /** Bounds of the relay. */
  readonly limits: Limits;
  /** Counts by the protocol of the client that sent or received, and of what the server sent. */
  readonly messages: Readonly<Record<ProtocolName | "server", Counts>>;
  /**
   * Ends of sessions' connections by close code, of the codes that came: 1006 without a close frame, `other` for codes
   * that neither RFC 6455 nor docs/protocol.md has.
   */
  readonly closes: Readonly<Record<string, number>>;
  /** Refused handshakes by the code of the refusal, such as `unauthorized`, of the codes that came. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** Counts of messages and frames, all from 0 when the relay is made. */
export interface Counts {
  /** Sends whose message was handed to the receiver's connection, and publishes. */
  readonly delivered: number;
  /** Sends whose message waits in the receiver's mailbox. */
  readonly queued: number;
  /** Publishes; part of `delivered`. */
  readonly publishes: number;
  /** Sessions that the publishes reached: the sum of their `recipients`. */
  readonly recipients: number;
  /** Frames, or commands of the server, that failed, by the code of the error. */
  readonly failed: Readonly<Record<ErrorCode, number>>;
  /** Payload of all frames that clients sent, or of the server's messages: bytes, or UTF-16 units of strings. */
  readonly receivedBytes: number;
  /** Messages that were sent to the clients of the protocol, likewise. */
  readonly sentBytes: number;
  /** Beats that connections let pass without a sign of life. */
  readonly misses: number;
}

/**
 * Commands of server code to a relay. Every method returns a promise, as another process may have to answer later. A
 * command takes effect in a microtask, never in the middle of a hook; commands take effect in the order of the calls.
 *
 * A command that the relay refuses resolves to a result with the outcome `failed`. A promise rejects only for a mistake
 * of the program: with a TypeError for a value of a wrong type, with a RangeError for a number outside its range.
 */
export interface ServerApi {
  /**
   * Sends a message to a session. Its client sees that it comes from the server.
   *
   * @param data A string, any other JSON value, or bytes: an ArrayBuffer, a SharedArrayBuffer, or a view of either. It
   * is copied at once.
   * @returns `failed` with `bad_id`, `no_such_id`, `too_slow`, `mailbox_full`, or `too_large` for a message over
   * `maxMessageBytes` or larger than a mailbox.
   * @throws {TypeError} When the id is not a string, or JSON would change the data.
   */
  send(id: string, data: unknown): Promise<SendResult>;
  /**
   * Publishes a message in a room, of which the server need not be a member. A room without members has 0 recipients.
   *
   * @param data Data as for `send`.
   * @returns `failed` with `bad_id`, or `too_large` for a message over `maxMessageBytes`.
   * @throws {TypeError} As for `send`.
   */
  publish(room: string, data: unknown, options?: PublishOptions): Promise<PublishResult>;
  /**
   * Lists sessions in the order in which they began. Between two pages sessions may begin and end: the pages together
   * list each session that exists all the time once, and none twice.
   *
   * @throws {RangeError} When the limit is outside its range, or the cursor is not one that a page had.
   */
  sessions(query?: SessionQuery): Promise<SessionPage>;
  /** Returns the session with the id; `undefined` if there is none. */
  session(id: string): Promise<SessionDetails | undefined>;
  /** Lists rooms, as `sessions` lists sessions. A room that was empty in between counts as a new one. */
  rooms(query?: RoomQuery): Promise<RoomPage>;
  /** Returns the ids of the members in order of joining; an empty list if there is no such room. */
  members(room: string): Promise<readonly string[]>;
  /**
   * Puts a session into a room, even if the client's grant does not cover it; the client may then publish there until
   * it leaves. Its client is told by a `presence` of its own id (`:joined` in `relay.v1.text`; in plain not at all).
   *
   * @returns `done` also if it was in the room. `failed` with `bad_id`, `no_such_id`, `forbidden` if it is in
   * `maxRoomsPerSession` rooms, `rate_limited`, or `overloaded`.
   */
  join(id: string, room: string): Promise<CommandResult>;
  /** Takes a session out of a room. @returns `failed` with `bad_id`, `no_such_id` or `not_in_room`. */
  leave(id: string, room: string): Promise<CommandResult>;
  /**
   * Ends a session, or closes its connection for the client to come back. A session that is away has no connection.
   *
   * @returns `failed` with `bad_id` or `no_such_id`.
   * @throws {RangeError} When the code is none of 1000 and 3000 to 4999, contradicts `final`, or the reason is over 123
   * bytes.
   */
  disconnect(id: string, options?: DisconnectOptions): Promise<CommandResult>;
  /** Returns holdings, bounds and counters. */
  stats(): Promise<RelayStats>;
}
