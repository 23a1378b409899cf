import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { ErrorCode } from "../../core/protocol/errors.ts";
import type { CommandError } from "../../core/server-api.ts";

/** Codes of the problems that are about the request itself; the other codes are those of the relay's errors. */
const REQUEST_CODES = [
  "bad_request",
  "unauthorized",
  "not_found",
  "method_not_allowed",
  "too_large",
  "unsupported_media_type",
] as const;

type RequestCode = (typeof REQUEST_CODES)[number];

/** HTTP status of a command that failed, by the code of its error. */
const STATUS: Readonly<Record<ErrorCode | RequestCode, ContentfulStatusCode>> = {
  bad_request: 400,
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
  unsupported_media_type: 415,
  bad_frame: 400,
  bad_id: 400,
  no_such_id: 404,
  not_in_room: 404,
  too_slow: 503,
  too_large: 413,
  rate_limited: 429,
  too_many_unacked: 429,
  mailbox_full: 503,
  duplicate: 409,
  forbidden: 403,
  overloaded: 503,
  internal: 500,
};

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export const problemSchema = z
  .strictObject({
    type: z.literal("about:blank"),
    title: z.string().meta({ description: "The phrase of the status" }),
    status: z.number().int(),
    detail: z.string().meta({ description: "One sentence that states what failed and why" }),
    code: z
      .string()
      .meta({ description: `${REQUEST_CODES.join(", ")}, or an error code of the relay, such as no_such_id` }),
    temporary: z.boolean().meta({ description: "Whether the same request may succeed later" }),
    errors: z
      .array(z.strictObject({ at: z.string(), detail: z.string() }))
      .optional()
      .meta({
        description: "With bad_request: each wrong parameter or field, as path.<name>, query.<name> or body.<name>",
      }),
  })
  .meta({ id: "Problem", description: "Why a request failed (RFC 9457)" });

type Problem = z.infer<typeof problemSchema>;

/** Makes a response in the form of RFC 9457. */
function respond(
  c: Context,
  code: ErrorCode | RequestCode,
  detail: string,
  more: Partial<Problem> = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const status = STATUS[code];
  const problem: Problem = {
    type: "about:blank",
    title: TITLES[status] ?? "",
    status,
    detail,
    code,
    temporary: false,
    ...more,
  };
  return c.body(JSON.stringify(problem), status, { "Content-Type": "application/problem+json", ...headers });
}

/** Refuses a request whose parts do not fit their schemas. */
export function badRequest(c: Context, detail: string, errors?: Problem["errors"]): Response {
  return respond(c, "bad_request", detail, errors && { errors });
}

/** Refuses a body that is larger than the relay reads. */
export function tooLarge(c: Context, maxBytes: number): Response {
  return respond(c, "too_large", `Cannot read the body: it is larger than ${maxBytes} bytes`);
}

/** Refuses a body that is not JSON by its Content-Type. */
export function unsupportedMediaType(c: Context): Response {
  return respond(c, "unsupported_media_type", "Cannot read the body: its Content-Type is not application/json");
}

/** Refuses a path that leads to no operation. */
export function notFound(c: Context, detail: string): Response {
  return respond(c, "not_found", detail);
}

/** Refuses a method that the path does not have. */
export function methodNotAllowed(c: Context, allowed: string): Response {
  const detail = `Cannot use ${c.req.method} here, only ${allowed}`;
  return respond(c, "method_not_allowed", detail, {}, { Allow: allowed });
}

/** Answers a command that the relay refused. */
export function commandFailed(c: Context, { code, message, temporary }: CommandError): Response {
  return respond(c, code, message, { temporary }, temporary ? { "Retry-After": "1" } : {});
}

/** Answers an error that a handler threw: a refused key, a value that the relay does not take, or a fault. */
export function failed(c: Context, error: unknown): Response {
  if (error instanceof HTTPException && error.status === 401) {
    const challenge = error.getResponse().headers.get("WWW-Authenticate") ?? "Bearer";
    const detail = "Cannot use the admin API: the request has no valid key (Authorization: Bearer <key>)";
    return respond(c, "unauthorized", detail, {}, { "WWW-Authenticate": challenge });
  }
  if (error instanceof HTTPException) return badRequest(c, "Cannot read the header Authorization: it is no Bearer key");
  // The server API throws these for a mistake of its caller: here the request's.
  if (error instanceof TypeError || error instanceof RangeError) return badRequest(c, error.message);
  return respond(c, "internal", "Cannot answer: the relay failed on this request");
}
