/** What a client can get wrong in one frame. The connection stays open, and nobody else is told. */
export type ErrorCode = "bad_frame" | "bad_id" | "no_such_id" | "too_slow";

/** One refusal, as its sender is told of it. */
export interface SendError {
  readonly code: ErrorCode;
  /** One line that says what was refused and why. */
  readonly message: string;
  /** Whether the same frame may succeed later. */
  readonly temporary: boolean;
}

const QUOTED_CHARACTERS = 64;

/** A client's words, fit to stand in one line of an error: quoted, escaped, cut at 64 characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text);
}

/** No address stands before a first colon. */
export function badFrame(): SendError {
  return { code: "bad_frame", message: "Cannot read the frame: it is not id:message", temporary: false };
}

/** What stands before the first colon cannot be an id. */
export function badId(id: string): SendError {
  return {
    code: "bad_id",
    message: `Cannot send to ${quote(id)}: an id is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -`,
    temporary: false,
  };
}

/** Nobody is connected under the id. */
export function noSuchId(id: string): SendError {
  return { code: "no_such_id", message: `Cannot send to ${quote(id)}: nobody has this id`, temporary: false };
}

/** The receiver has more waiting than it may have; this message was not added. */
export function tooSlow(id: string): SendError {
  return {
    code: "too_slow",
    message: `Cannot send to ${quote(id)}: it does not read what it was sent; this message was refused`,
    temporary: true,
  };
}
