import type { IncomingMessage } from "node:http";
import type { RelayApp } from "../../http/app.ts";
import type { Claim } from "./attach.ts";
import { toRequest } from "./request.ts";
import type { NodeEnv, NodeUpgrade } from "./upgrade.ts";

/** The part of a Hono app that the relay uses to find its routes and to answer handshakes. */
export interface NodeApp {
  readonly routes: readonly { readonly handler: unknown }[];
  readonly router: { match(method: string, path: string): Matched };
  getPath(request: Request, options?: { env?: NodeEnv["Bindings"] }): string;
  fetch(request: Request, env: NodeEnv["Bindings"]): Response | Promise<Response>;
}

/** The result of Hono's router: the handlers for a path, middleware included. */
type Matched = readonly [readonly (readonly [readonly [handler: unknown, ...unknown[]], unknown])[], ...unknown[]];

/**
 * Makes a claim on the handshakes for the relay's routes, at the path where the app has mounted them. Where the app
 * consists of the relay's routes only, and the server has no other upgrade listener, the claim covers all handshakes:
 * one for an unknown path is refused with 404.
 *
 * @throws {TypeError} When the routes are not mounted in the app.
 */
export function createClaim(app: NodeApp, relayApp: RelayApp<NodeEnv>, upgrade: NodeUpgrade): Claim {
  const { routes, direct, upgradePaths } = relayApp;
  const ownHandlers = routes.routes.filter(({ path }) => upgradePaths.includes(path)).map(({ handler }) => handler);
  const mountedHandlers = new Set(
    app.routes.map(({ handler }) => handler).filter((handler) => isOrWrapsOne(handler, ownHandlers)),
  );
  if (mountedHandlers.size === 0) {
    throw new TypeError('Cannot attach the relay: mount its routes in the app first, with app.route("/relay", routes)');
  }
  const isRelayOnly = app.routes === routes.routes;
  return (incoming, isOnlyListener) => {
    if (!isHandshake(incoming)) return undefined;
    const target = app === routes ? direct.readTarget(incoming.url ?? "") : undefined;
    if (target !== undefined && isKnownHost(incoming)) {
      return (socket, head) => upgrade.answerDirectly({ incoming, socket, head, target, upgrade: direct.upgrade });
    }
    const request = toRequest(incoming);
    if (request === undefined) return undefined;
    const isForRelay = (isRelayOnly && isOnlyListener) || leadsTo(app, mountedHandlers, request, incoming);
    if (!isForRelay) return undefined;
    return (socket, head) => upgrade.answer({ incoming, socket, head, fetch: (env) => app.fetch(request, env) });
  };
}

/** The latest header Host that was found to be good. Most clients of a server send the same one. */
let goodHost: string | undefined;

/** Returns whether a Request can be made with the header Host. */
function isKnownHost(incoming: IncomingMessage): boolean {
  const { host } = incoming.headers;
  if (host === undefined || host === goodHost) return true;
  if (toRequest(incoming) === undefined) return false;
  goodHost = host;
  return true;
}

/** Returns whether the request asks for a WebSocket (RFC 6455 §4.2.1). The other headers may be wrong. */
function isHandshake({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

function leadsTo(app: NodeApp, handlers: ReadonlySet<unknown>, request: Request, incoming: IncomingMessage): boolean {
  const [matched] = app.router.match("GET", app.getPath(request, { env: { incoming } }));
  return matched.some(([[handler]]) => handlers.has(handler));
}

/**
 * Returns whether the handler is one of `ownHandlers`, or Hono's wrapper of one. Hono's `route` wraps the handlers of
 * an app that has an `onError`, and keeps each handler as a property of its wrapper. The name of that property differs
 * between versions of Hono, so all properties are searched.
 */
function isOrWrapsOne(handler: unknown, ownHandlers: readonly unknown[]): boolean {
  const seen = new Set<unknown>();
  const search = (value: unknown): boolean => {
    if (typeof value !== "function" || seen.has(value)) return false;
    seen.add(value);
    if (ownHandlers.includes(value)) return true;
    return Object.values(Object.getOwnPropertyDescriptors(value)).some((property) => search(property.value));
  };
  return search(handler);
}
