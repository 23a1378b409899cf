import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";

/** Where nothing is answered. */
const NO_RESPONSE = { on: ignore } as unknown as ServerResponse;

/** In place of a request that the app has answered: the listener makes a Request of it, and fails on some that are let pass here. */
const ANSWERED = {
  method: "GET",
  url: "/",
  headers: { host: "localhost" },
  rawHeaders: [],
} as unknown as IncomingMessage;

/** What goes wrong on a socket ends in its close event. */
export function ignore(): void {}

/**
 * The request as the app sees it; `undefined` where its URL cannot be one.
 *
 * It is made as `@hono/node-server` makes those of the app's other routes: what nobody asks for is never made. A Request of Node's own, with its
 * AbortSignal, here and again in node-ws, cost a sixth of a connection's CPU.
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
  // Of Node's request and its response this is all that the listener uses until it has made the other one.
  listener({ method, url, headers: { host }, rawHeaders, socket } as unknown as IncomingMessage, NO_RESPONSE);
  return request;
}

/** Writes the response as `@hono/node-server` does, in pieces as they come, and ends the connection. Cancels what the client does not wait for. */
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
  // A socket that is not read tells nobody that its client has left.
  socket.resume();
  const listener = getRequestListener(() => response, { overrideGlobalObjects: false, autoCleanupIncoming: false });
  listener(ANSWERED, outgoing);
}
