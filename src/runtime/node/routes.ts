import type { IncomingMessage } from "node:http";
import type { Hono } from "hono";
import { UPGRADE_PATHS } from "../../http/app.ts";
import type { Claim } from "./attach.ts";
import { toRequest } from "./request.ts";
import type { NodeEnv, NodeUpgrade } from "./upgrade.ts";

/** A Hono app, as far as it is used here. */
export interface NodeApp {
  readonly routes: readonly { readonly handler: unknown }[];
  readonly router: { match(method: string, path: string): Matched };
  getPath(request: Request, options?: { env?: NodeEnv["Bindings"] }): string;
  fetch(request: Request, env: NodeEnv["Bindings"]): Response | Promise<Response>;
}

/** The handlers that a path leads to, middleware among them. */
type Matched = readonly [readonly (readonly [readonly [handler: unknown, ...unknown[]], unknown])[], ...unknown[]];

/**
 * Claims the handshakes for the relay's routes, wherever in the app they are mounted. Where the app is the relay alone, it claims every
 * handshake that nobody else listens for, and says that there is nothing at its path.
 *
 * @throws {TypeError} Where the app has none of the routes.
 */
export function createClaim(app: NodeApp, routes: Hono<NodeEnv>, answer: NodeUpgrade["answer"]): Claim {
  const own = routes.routes.filter(({ path }) => UPGRADE_PATHS.includes(path)).map(({ handler }) => handler);
  const handlers = new Set(app.routes.map(({ handler }) => handler).filter((handler) => isAmong(own, handler)));
  if (handlers.size === 0) {
    throw new TypeError('Cannot attach the relay: mount its routes in the app first, with app.route("/relay", routes)');
  }
  const isAlone = app.routes === routes.routes;
  return (incoming, isLast) => {
    if (!isHandshake(incoming)) return undefined;
    const request = toRequest(incoming);
    if (request === undefined) return undefined;
    const isOurs = (isAlone && isLast) || leadsTo(app, handlers, request, incoming);
    if (!isOurs) return undefined;
    return (socket, head) => answer({ incoming, socket, head, fetch: (env) => app.fetch(request, env) });
  };
}

/** Whether the request asks for a WebSocket (RFC 6455 §4.2.1), well or badly. */
function isHandshake({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

function leadsTo(app: NodeApp, handlers: ReadonlySet<unknown>, request: Request, incoming: IncomingMessage): boolean {
  const [matched] = app.router.match("GET", app.getPath(request, { env: { incoming } }));
  return matched.some(([[handler]]) => handlers.has(handler));
}

/**
 * Whether the handler is one of these, or Hono's wrapper of one: `route` wraps the handlers of an app with an `onError` of its own, and keeps
 * what it has wrapped as a property, whose name is not the same in every version.
 */
function isAmong(own: readonly unknown[], handler: unknown): boolean {
  const seen = new Set<unknown>();
  const reach = (one: unknown): boolean => {
    if (typeof one !== "function" || seen.has(one)) return false;
    seen.add(one);
    return own.includes(one) || Object.values(Object.getOwnPropertyDescriptors(one)).some(({ value }) => reach(value));
  };
  return reach(handler);
}
