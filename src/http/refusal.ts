import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { CLOSE_CODES, type CloseCode } from "../core/link/close-codes.ts";
import type { Authorization } from "./authorization.ts";

/** The reason why a request for a connection is refused. */
export interface Refusal {
  /** HTTP status. */
  readonly status: ContentfulStatusCode;
  /** Code for programs, such as `unauthorized` or `full`; docs/protocol.md lists them. */
  readonly code: string;
  /** Sentence for people. */
  readonly message: string;
  /** Headers of the HTTP response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Code of a close frame with the same meaning; absent where the request cannot become a WebSocket. */
  readonly closeCode?: CloseCode;
}

const TRY_AGAIN = { headers: { "Retry-After": "1" }, closeCode: CLOSE_CODES.tryAgainLater } as const;

/** The refusals that do not depend on the request. */
export const REFUSALS = {
  busy: {
    status: 503,
    code: "busy",
    message: "Cannot take a connection: too many come at this moment",
    ...TRY_AGAIN,
  },
  tooManyAttempts: {
    status: 429,
    code: "too_many_attempts",
    message: "Cannot take a connection: too many came from this address just now",
    ...TRY_AGAIN,
  },
  tooManyConnections: {
    status: 429,
    code: "too_many_connections",
    message: "Cannot take a connection: too many are open from this address",
    ...TRY_AGAIN,
  },
  full: {
    status: 503,
    code: "full",
    message: "Cannot take a connection: the relay has no place left",
    ...TRY_AGAIN,
  },
  shuttingDown: {
    status: 503,
    code: "shutting_down",
    message: "Cannot take a connection: the relay is shutting down",
    headers: TRY_AGAIN.headers,
    closeCode: CLOSE_CODES.goingAway,
  },
  authorizeTimedOut: {
    status: 503,
    code: "unavailable",
    message: "Cannot connect: nobody could say in time whether this client may",
    closeCode: CLOSE_CODES.tryAgainLater,
  },
  forbiddenOrigin: {
    status: 403,
    code: "forbidden_origin",
    message: "Cannot connect: pages of this origin may not",
    closeCode: CLOSE_CODES.forbidden,
  },
  badId: {
    status: 403,
    code: "bad_id",
    message: "Cannot connect: the id given to this client is not 1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
    closeCode: CLOSE_CODES.forbidden,
  },
  failed: {
    status: 500,
    code: "internal",
    message: "Cannot answer: the relay failed on this request",
    closeCode: CLOSE_CODES.internal,
  },
} as const satisfies Record<string, Refusal>;

/** Returns the refusal for a path that leads to none of the routes. `relayPath` is the right one. */
export function notFound(path: string, relayPath: string): Refusal {
  return {
    status: 404,
    code: "not_found",
    message: `Cannot find ${path}: the relay is at ${relayPath}`,
    closeCode: CLOSE_CODES.notFound,
  };
}

/** Returns the refusal for an app that left out a step of mounting the relay; `message` says which step. */
export function notAttached(message: string): Refusal {
  return { status: 500, code: "not_attached", message };
}

/** Returns the refusal that the app's `authorize` decided on. */
export function unauthorized(authorization: Extract<Authorization, { allow: false }>): Refusal {
  // An app in JavaScript may leave the message out, or give any value.
  const { status, message: text = "Cannot connect: this client may not", expired = false } = authorization;
  const message = String(text);
  if (status === 403) return { status, code: "forbidden", message, closeCode: CLOSE_CODES.forbidden };
  if (status === 503) return { status, code: "unavailable", message, closeCode: CLOSE_CODES.tryAgainLater };
  const closeCode = expired ? CLOSE_CODES.expired : CLOSE_CODES.unauthorized;
  return { status, code: "unauthorized", message, headers: { "WWW-Authenticate": "Bearer" }, closeCode };
}

/** Makes an HTTP response of the refusal. */
export function answer(c: Context, { status, code, message, headers = {} }: Refusal): Response {
  return c.json({ error: { code, message } }, status, headers);
}

/** Makes the same HTTP response without a context. */
export function refusalResponse({ status, code, message, headers = {} }: Refusal): Response {
  return Response.json({ error: { code, message } }, { status, headers });
}

/** Longest reason of a close frame, in bytes of UTF-8 (RFC 6455 §5.5.1: 125, less two for the code). */
const REASON_BYTES = 123;
const encoder = new TextEncoder();
const scratch = new Uint8Array(REASON_BYTES);
const cutScratch = scratch.subarray(0, REASON_BYTES - encoder.encode("…").length);

/**
 * Makes a close frame of the refusal, with the reason `<code>: <message>`; a reason that is too long is cut at a word.
 */
export function closeFrame({ code, message }: Refusal, closeCode: CloseCode): CloseCode {
  const text = `${code}: ${message}`;
  const isWhole = encoder.encodeInto(text, scratch).read === text.length;
  return { ...closeCode, reason: isWhole ? text : cut(text, encoder.encodeInto(text, cutScratch).read) };
}

/** Returns the text, cut at a word where it is longer than `maxCharacters`. */
export function shorten(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? cut(text, maxCharacters - 1) : text;
}

/** Returns the first words of the text, and `…`. A long last word is cut after `characters` characters of the text. */
function cut(text: string, characters: number): string {
  const space = text.lastIndexOf(" ", characters);
  const beginning = text.slice(0, space > characters / 2 ? space : characters);
  // Drops the first half of a surrogate pair that was cut.
  return `${beginning.replace(/[\ud800-\udbff]$/, "")}…`;
}
