import { type Context, type Env, Hono } from "hono";
import { checkOptions } from "../core/check-options.ts";
import { negotiate } from "../core/protocol/negotiate.ts";
import type { Relay } from "../core/relay.ts";
import type { ClientOrigin, Handshake } from "../core/relay-options.ts";
import { OBSERVER_KINDS } from "../core/session/observer.ts";
import { APP_OPTION_KINDS, type AppOptions } from "./app-options.ts";
import { createDirectUpgrade, type DirectUpgrade } from "./direct.ts";
import { answer, notAttached, notFound, REFUSALS, type Refusal } from "./refusal.ts";
import type { Runtime } from "./runtime.ts";
import { UpgradeError } from "./upgrade-error.ts";
import { HonoUpgradeRequest } from "./upgrade-request.ts";
import { type Endpoint, type FindEndpoint, notAccepting, Upgrader } from "./upgrader.ts";

/** A path without a slash at its end, of characters that no URL escapes. */
const BASE_PATH = /^(\/[\w.~-]+)*$/;

/** Returns whether the text can be the option `basePath`. */
export function isBasePath(text: string): boolean {
  return BASE_PATH.test(text) && !/\/\.{1,2}(\/|$)/.test(text);
}

/** A Hono app with the relay's routes, and the direct way to the same routes. */
export interface RelayApp<E extends Env> {
  readonly routes: Hono<E>;
  readonly direct: DirectUpgrade;
  /** Paths at which the relay opens a WebSocket. A plain request for one of them gets 426. */
  readonly upgradePaths: readonly string[];
}

/**
 * Makes a Hono app with the relay's routes.
 *
 * @throws {RangeError} When `origins`, `trustedProxies` or `basePath` does not parse, or a number is not positive.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 */
export function createApp<E extends Env>(relay: Relay, runtime: Runtime<E>, options: AppOptions = {}): Hono<E> {
  return createRelayApp(relay, runtime, options).routes;
}

/** Makes the app as `createApp` does, and the direct way to it. */
export function createRelayApp<E extends Env>(relay: Relay, runtime: Runtime<E>, options: AppOptions): RelayApp<E> {
  checkOptions("Cannot make the relay's routes", options, APP_OPTION_KINDS, { observer: OBSERVER_KINDS });
  const { basePath = "" } = options;
  if (!isBasePath(basePath)) throw new RangeError(`Cannot make a relay: basePath is ${JSON.stringify(basePath)}`);
  const app = basePath === "" ? new Hono<E>() : new Hono<E>().basePath(basePath);
  const relayPath = `${basePath}/ws`;
  const upgrader = new Upgrader(relay, options);
  const findRelay: FindEndpoint = (request, { id, rooms, to, expiresAt, data }, client) => {
    const protocol = negotiate(request.header("sec-websocket-protocol"), request.query("from") === "1");
    const count = request.query("attempt") ?? "";
    const handshake: Handshake = {
      protocol,
      id,
      resume: request.query("resume"),
      attempt: /^\d{1,9}$/.test(count) ? Number(count) : undefined,
      grant: { rooms, to },
      data,
      expiresInMs: expiresAt === undefined ? undefined : Math.max(0, expiresAt - Date.now()),
      client,
    };
    return relay.hasRoomFor(handshake) ? relayEndpoint(relay, handshake, protocol.name) : undefined;
  };
  const findEcho: FindEndpoint = (_request, _granted, client) => echoEndpoint(relay, client);
  const upgrade = async (c: Context<E>, findEndpoint: FindEndpoint): Promise<Response> => {
    const request = new HonoUpgradeRequest(c, runtime);
    return respond(c, request, await upgrader.upgrade(request, findEndpoint));
  };

  app.all("/ws", (c) => upgrade(c, findRelay));
  app.all("/echo", (c) => upgrade(c, findEcho));
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const isReady = relay.accepts && !relay.isShuttingDown && relay.hasRoomFor({});
    return isReady ? c.json({ status: "ready" }) : answer(c, notAccepting(relay));
  });

  // Not a route for "/": where these routes are mounted in an app, that app answers its own root, and Hono does not
  // mount a notFound.
  app.notFound((c) => {
    if (asksForPage(c, basePath)) return sendPage(c, basePath);
    const request = new HonoUpgradeRequest(c, runtime);
    return respond(c, request, upgrader.refuseUnknownPath(request, notFound(c.req.path, relayPath)));
  });
  let hasReportedUpgradeError = false;
  const refuseFailure = (error: unknown): Refusal => {
    // A missing step in the app fails every request in the same way: the observer is told once.
    const isUpgradeError = error instanceof UpgradeError;
    if (!(isUpgradeError && hasReportedUpgradeError)) upgrader.reportFailure(error);
    hasReportedUpgradeError ||= isUpgradeError;
    return isUpgradeError ? notAttached(error.message) : REFUSALS.failed;
  };
  app.onError((error, c) => answer(c, refuseFailure(error)));

  const direct = createDirectUpgrade(app, basePath, (request) => {
    try {
      const refusal = upgrader.upgrade(request, request.path === relayPath ? findRelay : findEcho);
      return refusal instanceof Promise ? refusal.catch(refuseFailure) : refusal;
    } catch (error) {
      return refuseFailure(error);
    }
  });
  return { routes: app, direct, upgradePaths: [relayPath, `${basePath}/echo`] };
}

/** Returns the response to a request that was refused, or upgraded. */
function respond<E extends Env>(c: Context, request: HonoUpgradeRequest<E>, refusal: Refusal | undefined): Response {
  // Without a refusal there is the response of the upgrade.
  return refusal === undefined ? (request.response as Response) : answer(c, refusal);
}

/** Answers with the text at `/`, for a person with a browser. */
function sendPage(c: Context, basePath: string): Response {
  const text = `This is hono-relay, a WebSocket relay.

${basePath}/ws       the relay: "id:message" reaches the client with that id
${basePath}/echo     sends each message back
${basePath}/healthz  200 while the process lives
${basePath}/readyz   200 while the relay takes connections

Try it in a terminal: npx wscat -s relay.v1.text -c ws://127.0.0.1:8080${basePath}/ws, with this relay's address; :help lists the commands.
`;
  // Set here because the response to HEAD lacks the Content-Type that a Response has for text by default.
  return c.body(text, 200, { "Content-Type": "text/plain; charset=utf-8" });
}

function asksForPage(c: Context, basePath: string): boolean {
  const { method, path } = c.req;
  const isRoot = path === `${basePath}/` || (path === basePath && basePath !== "");
  return isRoot && (method === "GET" || method === "HEAD") && c.req.header("upgrade") === undefined;
}

// The endpoints are made by functions of their own, so that their closures keep nothing of the request in memory.

function relayEndpoint(relay: Relay, handshake: Handshake, protocol: string | undefined): Endpoint {
  return { open: (connection, place) => relay.open(connection, handshake, place), protocol };
}

function echoEndpoint(relay: Relay, client: ClientOrigin): Endpoint {
  return { open: (connection, place) => relay.openEcho(connection, place, client), protocol: undefined };
}
