import type { Env, Hono } from "hono";
import { getQueryParam } from "hono/utils/url";
import { type Refusal, refusalResponse } from "./refusal.ts";
import type { Open } from "./runtime.ts";
import type { UpgradeRequest } from "./upgrade-request.ts";

/** The usual end of a handshake's target: a path of the relay, and a query of characters that no URL escapes. */
const TARGET_END = "/(?:ws|echo))(?:\\?[\\w.~%=&!*+-]*)?$";

/** The path and the query of a handshake that may be upgraded directly. */
export interface DirectTarget {
  readonly path: string;
  query(name: string): string | undefined;
}

/**
 * The way of a handshake past Hono, whose routing, context, Request and Response are a third of its CPU time.
 *
 * A runtime may take it only for requests that reach the relay's routes and nothing else of the app, and only where
 * `readTarget` knows the target. The checks are those of the other way: both call the same `Upgrader`.
 */
export interface DirectUpgrade {
  /** Reads the path and query of a request; `undefined` for a request that the app must handle. */
  readTarget(pathAndQuery: string): DirectTarget | undefined;
  /**
   * Upgrades the request, or refuses it. Never throws.
   *
   * @returns The refusal to answer as an HTTP response; `undefined` where the request was upgraded.
   */
  upgrade(request: UpgradeRequest): Refusal | undefined | Promise<Refusal | undefined>;
}

/**
 * Makes the direct way for the relay's routes. It ends when something is added to them that handshakes pass, such as a
 * middleware. Routes at other paths do not end it.
 */
export function createDirectUpgrade<E extends Env>(
  routes: Hono<E>,
  basePath: string,
  upgrade: DirectUpgrade["upgrade"],
): DirectUpgrade {
  const target = new RegExp(`^(${basePath.replaceAll(".", "\\.")}${TARGET_END}`);
  let checkedRoutes = routes.routes.length;
  let isAlone = true;
  /** Whether a handshake passes one handler of the app. Hono adds no routes after its router was asked. */
  const hasRelayAlone = (): boolean => {
    if (routes.routes.length !== checkedRoutes) {
      checkedRoutes = routes.routes.length;
      isAlone = ["/ws", "/echo"].every((path) => routes.router.match("GET", `${basePath}${path}`)[0].length === 1);
    }
    return isAlone;
  };
  return {
    readTarget: (pathAndQuery) => {
      const path = target.exec(pathAndQuery)?.[1];
      if (path === undefined || !hasRelayAlone()) return undefined;
      return { path, query: pathAndQuery.length === path.length ? noQuery : (name) => readQuery(pathAndQuery, name) };
    },
    upgrade,
  };
}

function noQuery(): undefined {}

/** Returns the value as Hono's context does. */
function readQuery(pathAndQuery: string, name: string): string | undefined {
  return getQueryParam(`http://localhost${pathAndQuery}`, name) as string | undefined;
}

/** Upgrades one request; `response` is what the runtime's `fetch` returns for it. */
export interface FetchUpgrade {
  readonly response: Response | undefined;
  peerAddress(): string | undefined;
  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void;
}

/**
 * Has `fetch` of the routes take the direct way where it can. A server that is given `routes.fetch` calls it; in an app
 * in which the routes are mounted, nothing does.
 *
 * @param startUpgrade Makes the upgrade of a request; `undefined` where the runtime cannot upgrade it directly.
 */
export function fetchDirectly<E extends Env>(
  { routes, direct }: { readonly routes: Hono<E>; readonly direct: DirectUpgrade },
  startUpgrade: (request: Request, env: E["Bindings"] | undefined) => FetchUpgrade | undefined,
): void {
  const { fetch } = routes;
  routes.fetch = (request, env, context) => {
    const target = readUrl(request, direct);
    const upgrade = target && startUpgrade(request, env as E["Bindings"] | undefined);
    if (target === undefined || upgrade === undefined) return fetch(request, env, context);
    const outcome = direct.upgrade(new FetchUpgradeRequest(request, target, upgrade));
    return outcome instanceof Promise
      ? outcome.then((refusal) => respond(refusal, upgrade))
      : respond(outcome, upgrade);
  };
}

/** Reads the target in the request's absolute URL. */
function readUrl({ url }: Request, direct: DirectUpgrade): DirectTarget | undefined {
  return direct.readTarget(url.slice(url.indexOf("/", "https://".length)));
}

function respond(refusal: Refusal | undefined, { response }: FetchUpgrade): Response {
  // Without a refusal there is the response of the upgrade.
  return refusal === undefined ? (response as Response) : refusalResponse(refusal);
}

/** A Request that does not pass the app. */
class FetchUpgradeRequest implements UpgradeRequest {
  readonly #request: Request;
  readonly #target: DirectTarget;
  readonly #upgrade: FetchUpgrade;

  constructor(request: Request, target: DirectTarget, upgrade: FetchUpgrade) {
    this.#request = request;
    this.#target = target;
    this.#upgrade = upgrade;
  }

  get method(): string {
    return this.#request.method;
  }

  get path(): string {
    return this.#target.path;
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  query(name: string): string | undefined {
    return this.#target.query(name);
  }

  peerAddress(): string | undefined {
    return this.#upgrade.peerAddress();
  }

  toRequest(): Request {
    return this.#request;
  }

  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void {
    this.#upgrade.upgrade(open, protocol, abandon);
  }
}
