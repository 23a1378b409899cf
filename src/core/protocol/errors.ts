import { owned } from "./owned.ts";
import { escapeUnprintable } from "./printable.ts";

/** Codes of the errors that one frame of a client can cause. The connection stays open; only the sender is told. */
export const ERROR_CODES = [
  "bad_frame",
  "bad_id",
  "no_such_id",
  "not_in_room",
  "too_slow",
  "too_large",
  "rate_limited",
  "too_many_unacked",
  "mailbox_full",
  "duplicate",
  "forbidden",
  "overloaded",
  "internal",
] as const;

/** Code of an error that one frame of a client, or one command of the server, can cause; docs/protocol.md lists them. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Errors after which the same frame may succeed later. */
const TEMPORARY: ReadonlySet<ErrorCode> = new Set([
  "too_slow",
  "rate_limited",
  "too_many_unacked",
  "mailbox_full",
  "overloaded",
  "internal",
]);

/** The refusal of one frame, as the relay reports it to the frame's sender. */
export interface SendError {
  readonly code: ErrorCode;
  /** One line that states what the relay refused and why. */
  readonly message: string;
  /** Whether the same frame may succeed later. */
  readonly temporary: boolean;
  /**
   * The id or the room that the error is about, without line breaks. It is an owned text: it does not keep its frame in
   * memory.
   */
  readonly subject: string | undefined;
  /**
   * Makes the same error again for a subject. `AckMemory` keeps this function instead of the error's texts. Absent on
   * errors that are not remembered: a repeated send is then tried again.
   */
  readonly remake?: ErrorMaker;
}

/** Makes an error about a subject: a recipient or a room. */
export type ErrorMaker = (subject: string) => SendError;

const MAX_QUOTED_CHARACTERS = 64;

/** Quotes a client's text for one line of an error: escaped, and cut at 64 characters. */
function quote(text: string): string {
  const cut = text.length > MAX_QUOTED_CHARACTERS ? `${text.slice(0, MAX_QUOTED_CHARACTERS)}…` : text;
  return escapeUnprintable(JSON.stringify(cut));
}

function sendError(code: ErrorCode, message: string, subject?: string, remake?: ErrorMaker): SendError {
  const kept = subject === undefined ? undefined : owned(subject);
  return { code, message, temporary: TEMPORARY.has(code), subject: kept, ...(remake && { remake }) };
}

/** Error for a frame that cannot be decoded. @param reason Ends the sentence. */
export function badFrame(reason: string): SendError {
  return sendError("bad_frame", `Cannot read the frame: ${reason}`);
}

/** Error for a text that is not valid as an id or as the name of a room. */
export function badId(id: string): SendError {
  const quoted = quote(id);
  return sendError(
    "bad_id",
    `Cannot use ${quoted}: an id or a room is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -`,
    quoted,
    badId,
  );
}

/** Error for an id that no session has. @param mayReturn Whether a client of an earlier process may reclaim it. */
export function noSuchId(id: string, mayReturn = false): SendError {
  const remake = mayReturn ? noSuchIdYet : noSuchId;
  const error = sendError("no_such_id", `Cannot send to ${quote(id)}: nobody has this id`, id, remake);
  return { ...error, temporary: mayReturn };
}

function noSuchIdYet(id: string): SendError {
  return noSuchId(id, true);
}

/** Error for a command on a room of which the sender is not a member. */
export function notInRoom(room: string): SendError {
  return sendError("not_in_room", `Cannot use room ${quote(room)}: join it first`, room, notInRoom);
}

/** Error for a message to a receiver whose backlog is full. */
export function tooSlow(id: string): SendError {
  return sendError(
    "too_slow",
    `Cannot send to ${quote(id)}: it does not read what it was sent; this message was refused`,
    id,
    tooSlow,
  );
}

/** Error for a message that is larger than a whole mailbox. */
export function tooLarge(id: string): SendError {
  return sendError("too_large", `Cannot send to ${quote(id)}: the message is larger than a mailbox`, id, tooLarge);
}

/** Error for a message of the server that is larger than the relay takes from a client. */
export function overMessageLimit(subject: string, maxMessageBytes: number): SendError {
  return sendError(
    "too_large",
    `Cannot send to ${quote(subject)}: the message is over ${maxMessageBytes} bytes`,
    subject,
  );
}

/** Error for a command of the server on an id that no session has. @param mayReturn As for `noSuchId`. */
export function noSuchSession(id: string, mayReturn: boolean): SendError {
  const error = sendError("no_such_id", `Cannot find ${quote(id)}: nobody has this id`, id);
  return { ...error, temporary: mayReturn };
}

/** Error for a session that the server takes out of a room in which it is not. */
export function notMember(id: string, room: string): SendError {
  const message = `Cannot take ${quote(id)} out of room ${quote(room)}: it is not in it`;
  return sendError("not_in_room", message, room);
}

/** Error for a frame of a client that is over its rate. */
export function rateLimited(): SendError {
  return sendError("rate_limited", "Cannot send: more came from this client than it may send; this frame was refused");
}

/** Error for a frame of a client that does not read its acks, or for whose frames the app decides too slowly. */
export function tooManyUnacked(): SendError {
  return sendError(
    "too_many_unacked",
    "Cannot send: too many earlier frames of this client have no answer yet; this frame was refused",
  );
}

/** Error for a message to a receiver that is away and whose mailbox has no room. */
export function mailboxFull(id: string): SendError {
  return sendError("mailbox_full", `Cannot send to ${quote(id)}: it is away and its mailbox is full`, id, mailboxFull);
}

/** Error for a send with an `ackId` that the session used before. */
export function duplicate(ackId: number): SendError {
  return sendError("duplicate", `Cannot send with ackId ${ackId}: it was used before; nothing was sent again`);
}

/** Error for a command that a rule forbids. @param reason States the rule; ends the sentence. */
export function forbidden(subject: string, reason: string, remake?: ErrorMaker): SendError {
  return sendError("forbidden", `Cannot use ${quote(subject)}: ${reason}`, subject, remake);
}

/** Error for an id or a room that the client's token does not grant. */
export function notGranted(subject: string): SendError {
  return forbidden(subject, "this client's token does not grant it", notGranted);
}

/** Error for a message that the app's hook `onMessage` refused. */
export function refusedByApp(subject: string): SendError {
  return forbidden(subject, "this relay refused the message", refusedByApp);
}

/** Error for a room or a watch that the relay has no memory left to keep. */
export function overloaded(subject: string): SendError {
  return sendError("overloaded", `Cannot use ${quote(subject)}: the relay has no memory left for it now`, subject);
}

/** Error for a frame on which the relay, or a hook of the app, threw. */
export function internal(): SendError {
  return sendError("internal", "Cannot send: the relay failed on this frame", undefined, internal);
}
