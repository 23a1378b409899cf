import { z } from "zod";
import { fromBase64 } from "../../core/protocol/base64.ts";
import type { Failed, ServerApi } from "../../core/server-api.ts";
import {
  disconnectBody,
  doneResult,
  idPath,
  memberList,
  memberPath,
  pageQuery,
  publishBody,
  publishResult,
  roomPage,
  roomPath,
  sendBody,
  sendResult,
  session,
  sessionPage,
  sessionQuery,
  stats,
} from "./schemas.ts";

/** Parts of a request that has passed its schemas. */
export interface Input<Path = unknown, Query = unknown, Body = unknown> {
  readonly path: Path;
  readonly query: Query;
  readonly body: Body;
}

/** One operation of the admin API: where it is, what it takes, what it answers, and the call that it is. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "delete";
  /** Path as in OpenAPI: `/v1/sessions/{id}`. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  readonly pathSchema: z.ZodObject;
  readonly querySchema: z.ZodObject;
  /** Schema of the body; `undefined` for an operation that takes none. */
  readonly bodySchema: z.ZodObject | undefined;
  readonly result: z.ZodType;
  /**
   * Calls the server API.
   *
   * @returns The answer; `undefined` if there is no such session.
   */
  run(api: ServerApi, input: Input): Promise<object | Failed | undefined>;
}

const nothing = z.strictObject({});

function operation<
  Path extends z.ZodObject = typeof nothing,
  Query extends z.ZodObject = typeof nothing,
  Body extends z.ZodObject | undefined = undefined,
>(
  method: Operation["method"],
  path: string,
  name: string,
  summary: string,
  parts: {
    readonly path?: Path;
    readonly query?: Query;
    readonly body?: Body;
    readonly result: z.ZodType;
    run(
      api: ServerApi,
      input: Input<z.output<Path>, z.output<Query>, Body extends z.ZodObject ? z.output<Body> : undefined>,
    ): Promise<object | Failed | undefined>;
  },
): Operation {
  return {
    method,
    path,
    name,
    summary,
    pathSchema: parts.path ?? nothing,
    querySchema: parts.query ?? nothing,
    bodySchema: parts.body,
    result: parts.result,
    // The input was parsed by these very schemas.
    run: parts.run as Operation["run"],
  };
}

/** Returns the data of a body: bytes where it is base64. */
function toData({ data, encoding }: { readonly data?: unknown; readonly encoding?: "base64" | undefined }): unknown {
  if (encoding === undefined) return data;
  const bytes = typeof data === "string" ? fromBase64(data) : undefined;
  if (bytes === undefined) throw new TypeError("Cannot send the data: it is not base64");
  return bytes;
}

export const OPERATIONS: readonly Operation[] = [
  operation("get", "/v1/sessions", "listSessions", "Lists the sessions, in the order in which they began", {
    query: sessionQuery,
    result: sessionPage,
    run: (api, { query }) => api.sessions(query),
  }),
  operation("get", "/v1/sessions/{id}", "getSession", "Returns one session", {
    path: idPath,
    result: session,
    run: (api, { path }) => api.session(path.id),
  }),
  operation("post", "/v1/sessions/{id}/messages", "sendMessage", "Sends a message to a session", {
    path: idPath,
    body: sendBody,
    result: sendResult,
    run: (api, { path, body }) => api.send(path.id, toData(body)),
  }),
  operation("post", "/v1/sessions/{id}/disconnect", "disconnectSession", "Ends a session, or closes its connection", {
    path: idPath,
    body: disconnectBody,
    result: doneResult,
    run: (api, { path, body }) => api.disconnect(path.id, body),
  }),
  operation("get", "/v1/rooms", "listRooms", "Lists the rooms that have members", {
    query: pageQuery,
    result: roomPage,
    run: (api, { query }) => api.rooms(query),
  }),
  operation("post", "/v1/rooms/{room}/messages", "publishMessage", "Publishes a message in a room", {
    path: roomPath,
    body: publishBody,
    result: publishResult,
    run: (api, { path, body }) => api.publish(path.room, toData(body), body.except && { except: body.except }),
  }),
  operation("get", "/v1/rooms/{room}/members", "listMembers", "Lists the ids of a room's members", {
    path: roomPath,
    result: memberList,
    run: async (api, { path }) => ({ members: await api.members(path.room) }),
  }),
  operation("put", "/v1/rooms/{room}/members/{id}", "joinRoom", "Puts a session into a room", {
    path: memberPath,
    result: doneResult,
    run: (api, { path }) => api.join(path.id, path.room),
  }),
  operation("delete", "/v1/rooms/{room}/members/{id}", "leaveRoom", "Takes a session out of a room", {
    path: memberPath,
    result: doneResult,
    run: (api, { path }) => api.leave(path.id, path.room),
  }),
  operation("get", "/v1/stats", "getStats", "Returns counts, bounds and counters of the relay", {
    result: stats,
    run: (api) => api.stats(),
  }),
];
