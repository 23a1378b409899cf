/**
 * The admin API: the server API over HTTP.
 *
 * @module hono-relay/admin
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import type { Limits } from "../../core/link/limits.ts";
import type { Failed, ServerApi } from "../../core/server-api.ts";
import { createDocument } from "./document.ts";
import { requireKey } from "./keys.ts";
import { OPERATIONS, type Operation } from "./operations.ts";
import { createPage } from "./page.ts";
import {
  badRequest,
  commandFailed,
  failed,
  methodNotAllowed,
  notFound,
  tooLarge,
  unsupportedMediaType,
} from "./problem.ts";

/** Options of the admin API. */
export interface AdminApiOptions {
  /**
   * Keys that open the API, each at least 32 bytes of the characters of a bearer token: `A-Z a-z 0-9 . _ ~ + / -`,
   * then any `=`. Several are for changing them one after the other.
   */
  readonly keys: readonly string[];
}

/** A relay for the admin API. */
export type AdministeredRelay = ServerApi & { readonly limits: Pick<Limits, "maxMessageBytes"> };

/** Bytes of a body beside its message: the names of its fields, and ids. */
const BODY_EXTRA_BYTES = 131_072;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Makes a Hono app with the admin API of a relay under `/v1`, its OpenAPI document at `/openapi.json`, and a page to
 * read and try it at `/v1/docs`.
 *
 * @throws {RangeError} When there is no key, or one is too short or has other characters.
 * @example
 * ```ts
 * import { serve } from "@hono/node-server";
 * import { Hono } from "hono";
 * import { createAdminApi } from "hono-relay/admin";
 * import { createNodeRelay } from "hono-relay/node";
 *
 * const app = new Hono();
 * const { relay, routes, attach } = createNodeRelay();
 * const key = process.env.RELAY_API_KEY ?? crypto.randomUUID();
 * app.route("/relay", routes);
 * app.route("/relay", createAdminApi(relay, { keys: [key] }));
 * attach(serve({ fetch: app.fetch, port: 3000 }), app);
 * ```
 */
export function createAdminApi(relay: AdministeredRelay, { keys }: AdminApiOptions): Hono {
  const checkKey = requireKey("Cannot make the admin API", keys);
  const app = new Hono();
  app.onError((error, c) => failed(c, error));
  addDocuments(app);
  // A message in JSON may be twice as long as in UTF-8, and base64 is longer by a third.
  const maxBytes = 2 * relay.limits.maxMessageBytes + BODY_EXTRA_BYTES;
  app.use("/v1/*", checkKey, bodyLimit({ maxSize: maxBytes, onError: (c) => tooLarge(c, maxBytes) }));
  for (const operation of OPERATIONS) {
    app.on(operation.method.toUpperCase(), honoPath(operation.path), (c) => run(c, relay, operation));
  }
  for (const path of new Set(OPERATIONS.map((operation) => operation.path))) {
    const methods = OPERATIONS.filter((operation) => operation.path === path).map(({ method }) => method.toUpperCase());
    app.all(honoPath(path), (c) => methodNotAllowed(c, methods.join(", ")));
  }
  app.all("/v1/*", (c) => notFound(c, `Cannot find ${c.req.path}: /openapi.json lists the operations`));
  return app;
}

/** Makes the routes in place of the admin API where it is not. @param reason Ends the sentence that says so. */
export function createAbsentAdminApi(reason: string): Hono {
  const app = new Hono();
  for (const path of ["/v1", "/v1/*", "/openapi.json", "/metrics"]) {
    app.all(path, (c) => notFound(c, `Cannot use the admin API here: ${reason}`));
  }
  return app;
}

/** Adds what anybody may read: it is the same for every relay of this version. */
function addDocuments(app: Hono): void {
  const document = createDocument();
  const page = createPage();
  app.get("/openapi.json", (c) => c.json(document));
  app.get("/v1/docs", (c) => c.html(page.html, 200, page.headers));
  app.get("/v1/docs/try.js", (c) => c.body(page.script, 200, { "Content-Type": "text/javascript; charset=utf-8" }));
  app.get("/v1/docs/style.css", (c) => c.body(page.style, 200, { "Content-Type": "text/css; charset=utf-8" }));
}

/** Returns the path in Hono's spelling: `/v1/sessions/:id`. */
function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

async function run(c: Context, relay: ServerApi, operation: Operation): Promise<Response> {
  const path = operation.pathSchema.safeParse(c.req.param());
  const query = operation.querySchema.safeParse(c.req.query());
  const read = operation.bodySchema === undefined ? { value: undefined } : await readBody(c);
  if (read instanceof Response) return read;
  const body = operation.bodySchema?.safeParse(read.value);
  const errors = Object.entries({ path, query, body }).flatMap(([part, parsed]) => describe(part, parsed));
  if (errors.length > 0) return badRequest(c, sentence(errors), errors);
  const answer = await operation.run(relay, { path: path.data, query: query.data, body: body?.data });
  if (answer === undefined) {
    const { id } = path.data as { id: string };
    return commandFailed(c, {
      code: "no_such_id",
      message: `Cannot find "${id}": nobody has this id`,
      temporary: false,
    });
  }
  return isFailed(answer) ? commandFailed(c, answer.error) : c.body(toJson(answer), 200, JSON_HEADERS);
}

const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };

/** Reads a body of JSON. @returns The refusal if it is none. */
async function readBody(c: Context): Promise<{ readonly value: unknown } | Response> {
  if (!/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) return unsupportedMediaType(c);
  const bytes = await c.req.arrayBuffer();
  try {
    return { value: JSON.parse(decoder.decode(bytes)) };
  } catch {
    return badRequest(c, "Cannot read the body: it is not JSON in UTF-8");
  }
}

interface Wrong {
  readonly at: string;
  readonly detail: string;
}

function describe(part: string, parsed: z.ZodSafeParseResult<unknown> | undefined): Wrong[] {
  if (parsed === undefined || parsed.success) return [];
  return parsed.error.issues.map(({ path, message }) => ({ at: [part, ...path].join("."), detail: message }));
}

function sentence([first]: readonly Wrong[]): string {
  return `Cannot read the request: ${first?.at}: ${first?.detail}`;
}

function isFailed(answer: object): answer is Failed {
  return "outcome" in answer && answer.outcome === "failed";
}

/** Writes JSON of the answer. Leaves out the app's own data of a session that JSON cannot express. */
function toJson(answer: object): string {
  return JSON.stringify(answer, (name, value: unknown) => (name === "data" ? expressible(value) : value));
}

function expressible(value: unknown): unknown {
  try {
    JSON.stringify(value);
    return value;
  } catch {
    return undefined;
  }
}
