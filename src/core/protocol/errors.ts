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
   * The id or the room that the error is about. It has no line breaks, and keeps no memory of the frame it came from
   * alive.
   */
  readonly subject: string | undefined;
  /**
   * Makes the same error again for a subject. `AckMemory` keeps this function instead of the error's texts. Absent on
   * errors that are not remembered: they are repeated by trying again.
   */
  readonly remake?: ErrorMaker;
}

export type ErrorMaker = (subject: string) => SendError;

const QUOTED_CHARACTERS = 64;

/** Quotes a client's text for one line of an error: escaped, and cut at 64 characters. */
function quote(text: string): string {
  const cut = text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text;
  return escapeUnprintable(JSON.stringify(cut));
}

function sendError(code: ErrorCode, message: string, subject?: string, remake?: ErrorMaker): SendError {
  const kept = subject === undefined ? undefined : owned(subject);
  return { code, message, temporary: TEMPORARY.has(code), subject: kept, ...(remake && { remake }) };
}

/** The frame cannot be decoded. @param expected States what is wrong with it; ends the sentence. */
export function badFrame(expected: string): SendError {
  return sendError("bad_frame", `Cannot read the frame: ${expected}`);
}

/** The text is not valid as an id or as the name of a room. */
export function badId(id: string): SendError {
  const quoted = quote(id);
  return sendError(
    "bad_id",
    `Cannot use ${quoted}: an id or a room is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -`,
    quoted,
    badId,
  );
}

/** No session has the id. @param mayReturn Whether a client of an earlier process may still come back with the id. */
export function noSuchId(id: string, mayReturn = false): SendError {
  const remake = mayReturn ? noSuchIdYet : noSuchId;
  const error = sendError("no_such_id", `Cannot send to ${quote(id)}: nobody has this id`, id, remake);
  return { ...error, temporary: mayReturn };
}

function noSuchIdYet(id: string): SendError {
  return noSuchId(id, true);
}

/** The sender is not a member of the room that its command names. */
export function notInRoom(room: string): SendError {
  return sendError("not_in_room", `Cannot use room ${quote(room)}: join it first`, room, notInRoom);
}

/** The receiver's backlog is full; the message was not added to it. */
export function tooSlow(id: string): SendError {
  return sendError(
    "too_slow",
    `Cannot send to ${quote(id)}: it does not read what it was sent; this message was refused`,
    id,
    tooSlow,
  );
}

/** The message is larger than a whole mailbox. */
export function tooLarge(id: string): SendError {
  return sendError("too_large", `Cannot send to ${quote(id)}: the message is larger than a mailbox`, id, tooLarge);
}

/** The sender is over its rate. */
export function rateLimited(): SendError {
  return sendError("rate_limited", "Cannot send: more came from this client than it may send; this frame was refused");
}

/** The client has more unacknowledged sends than the relay remembers outcomes. */
export function tooManyUnacked(): SendError {
  return sendError(
    "too_many_unacked",
    "Cannot send: the acks of too many earlier sends have not left yet; this frame was refused",
  );
}

/** The receiver is away, and its mailbox has no room for the message. */
export function mailboxFull(id: string): SendError {
  return sendError("mailbox_full", `Cannot send to ${quote(id)}: it is away and its mailbox is full`, id, mailboxFull);
}

/** The session used the `ackId` before. */
export function duplicate(ackId: number): SendError {
  return sendError("duplicate", `Cannot send with ackId ${ackId}: it was used before; nothing was sent again`);
}

/** A rule of the relay forbids the command. @param reason States the rule; ends the sentence. */
export function forbidden(subject: string, reason: string, remake?: ErrorMaker): SendError {
  return sendError("forbidden", `Cannot use ${quote(subject)}: ${reason}`, subject, remake);
}

/** The client's token does not grant the id or the room. */
export function notGranted(subject: string): SendError {
  return forbidden(subject, "this client's token does not grant it", notGranted);
}

/** The app's hook `onMessage` refused the message. */
export function refusedByApp(subject: string): SendError {
  return forbidden(subject, "this relay refused the message", refusedByApp);
}

/** The relay has no memory left to keep the room or the watch. */
export function overloaded(subject: string): SendError {
  return sendError("overloaded", `Cannot use ${quote(subject)}: the relay has no memory left for it now`, subject);
}

/** The relay, or a hook of the app, failed on the frame. */
export function internal(): SendError {
  return sendError("internal", "Cannot send: the relay failed on this frame", undefined, internal);
}
