import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";

/** Stands in for the response where a listener of `@hono/node-server` is called only to make a Request. */
const NO_RESPONSE = { on: ignore } as unknown as ServerResponse;

/**
 * Stands in for the client's request where a listener of `@hono/node-server` is called only to write a response. The
 * listener makes a Request of it, and would fail on some requests that the relay answers.
 */
const NO_REQUEST = {
  method: "GET",
  url: "/",
  headers: { host: "localhost" },
  rawHeaders: [],
} as unknown as IncomingMessage;

/** Ignores an error. An error of a socket needs no handling, because a close event follows. */
export function ignore(): void {}

/**
 * Makes the request that the app sees; returns `undefined` where its URL does not parse.
 *
 * The request comes from `@hono/node-server`, like those of the app's other routes, and creates its parts only when
 * they are used. A Request of Node's own, with its AbortSignal, made here and again in node-ws, took a sixth of a
 * connection's CPU time.
 */
export function toRequest({ method, url, headers, rawHeaders, socket }: IncomingMessage): Request | undefined {
  const host = headers.host?.toLowerCase() ?? "localhost";
  let request: Request | undefined;
  const listener = getRequestListener(
    (made) => {
      request = made;
      return RESPONSE_ALREADY_SENT;
    },
    { overrideGlobalObjects: false, autoCleanupIncoming: false, errorHandler: ignore },
  );
  // The listener uses only these properties until it has made the Request.
  listener({ method, url, headers: { host }, rawHeaders, socket } as unknown as IncomingMessage, NO_RESPONSE);
  return request;
}

/**
 * Writes the response as `@hono/node-server` does, with a streamed body, and then ends the connection. Cancels the body
 * where the client has gone.
 */
export function writeResponse(incoming: IncomingMessage, socket: Socket, response: Response): void {
  if (socket.destroyed || !socket.writable) {
    response.body?.cancel().catch(ignore);
    socket.destroy();
    return;
  }
  const outgoing = new ServerResponse(incoming);
  outgoing.shouldKeepAlive = false;
  outgoing.assignSocket(socket);
  outgoing.once("finish", () => {
    outgoing.detachSocket(socket);
    socket.end(() => socket.destroy());
  });
  // The end of a connection is noticed only on a socket that is read.
  socket.resume();
  const listener = getRequestListener(() => response, { overrideGlobalObjects: false, autoCleanupIncoming: false });
  listener(NO_REQUEST, outgoing);
}
