import { owned } from "./owned.ts";
import { escapeUnseen } from "./unseen.ts";

/** What a client can get wrong with one frame. The connection stays open, and nobody else is told. */
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

/** The errors after which the same frame may succeed later. */
const TEMPORARY: ReadonlySet<ErrorCode> = new Set([
  "too_slow",
  "rate_limited",
  "too_many_unacked",
  "mailbox_full",
  "overloaded",
  "internal",
]);

/** One refusal, as its sender is told of it. */
export interface SendError {
  readonly code: ErrorCode;
  /** One line that says what was refused and why. */
  readonly message: string;
  /** Whether the same frame may succeed later. */
  readonly temporary: boolean;
  /** The id or the room that it is about, fit to stand in one line; it keeps nothing of the frame alive that it came from. */
  readonly subject: string | undefined;
  /** Makes this error about a subject, so that who remembers an error need not keep its texts. Absent where it is never remembered. */
  readonly remake?: ErrorMaker;
}

export type ErrorMaker = (subject: string) => SendError;

const QUOTED_CHARACTERS = 64;

/** A client's words, fit to stand in one line of an error: quoted, escaped, cut at 64 characters. */
function quote(text: string): string {
  const cut = text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text;
  return escapeUnseen(JSON.stringify(cut));
}

function sendError(code: ErrorCode, message: string, subject?: string, remake?: ErrorMaker): SendError {
  const kept = subject === undefined ? undefined : owned(subject);
  return { code, message, temporary: TEMPORARY.has(code), subject: kept, ...(remake && { remake }) };
}

/** The frame does not read; `expected` says what would. */
export function badFrame(expected: string): SendError {
  return sendError("bad_frame", `Cannot read the frame: ${expected}`);
}

/** What stands where an id or the name of a room should cannot be one. */
export function badId(id: string): SendError {
  const quoted = quote(id);
  return sendError(
    "bad_id",
    `Cannot use ${quoted}: an id or a room is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -`,
    quoted,
    badId,
  );
}

/** Nobody has the id. `mayReturn`: a client of an earlier process may still come back with it. */
export function noSuchId(id: string, mayReturn = false): SendError {
  const remake = mayReturn ? noSuchIdYet : noSuchId;
  const error = sendError("no_such_id", `Cannot send to ${quote(id)}: nobody has this id`, id, remake);
  return { ...error, temporary: mayReturn };
}

function noSuchIdYet(id: string): SendError {
  return noSuchId(id, true);
}

/** The sender is not a member of the room that it wants something of. */
export function notInRoom(room: string): SendError {
  return sendError("not_in_room", `Cannot use room ${quote(room)}: join it first`, room, notInRoom);
}

/** The receiver has more waiting than it may have; this message was not added. */
export function tooSlow(id: string): SendError {
  return sendError(
    "too_slow",
    `Cannot send to ${quote(id)}: it does not read what it was sent; this message was refused`,
    id,
    tooSlow,
  );
}

/** No mailbox takes a message of this size. */
export function tooLarge(id: string): SendError {
  return sendError("too_large", `Cannot send to ${quote(id)}: the message is larger than a mailbox`, id, tooLarge);
}

/** The sender has sent more than it may in this time. */
export function rateLimited(): SendError {
  return sendError("rate_limited", "Cannot send: more came from this client than it may send; this frame was refused");
}

/** The client has more sends on their way than the relay remembers the outcomes of. */
export function tooManyUnacked(): SendError {
  return sendError(
    "too_many_unacked",
    "Cannot send: the acks of too many earlier sends have not left yet; this frame was refused",
  );
}

/** The receiver is away, and its mailbox has no room for this message. */
export function mailboxFull(id: string): SendError {
  return sendError("mailbox_full", `Cannot send to ${quote(id)}: it is away and its mailbox is full`, id, mailboxFull);
}

/** An `ackId` that this session used before. */
export function duplicate(ackId: number): SendError {
  return sendError("duplicate", `Cannot send with ackId ${ackId}: it was used before; nothing was sent again`);
}

/** The relay's rules do not allow it; `reason` ends the sentence. */
export function forbidden(subject: string, reason: string, remake?: ErrorMaker): SendError {
  return sendError("forbidden", `Cannot use ${quote(subject)}: ${reason}`, subject, remake);
}

/** The client's token does not name what it wants to use. */
export function notGranted(subject: string): SendError {
  return forbidden(subject, "this client's token does not grant it", notGranted);
}

/** The app around the relay did not let the message pass. */
export function refusedByApp(subject: string): SendError {
  return forbidden(subject, "this relay refused the message", refusedByApp);
}

/** The relay has no memory left for what would stay. */
export function overloaded(subject: string): SendError {
  return sendError("overloaded", `Cannot use ${quote(subject)}: the relay has no memory left for it now`, subject);
}

/** The relay, or a hook of the app around it, failed on this frame. */
export function internal(): SendError {
  return sendError("internal", "Cannot send: the relay failed on this frame", undefined, internal);
}
