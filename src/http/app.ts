import { type Context, type Env, Hono } from "hono";
import { checkOptions } from "../core/check-options.ts";
import { negotiate } from "../core/protocol/negotiate.ts";
import type { Relay } from "../core/relay.ts";
import type { ClientOrigin, Handshake } from "../core/relay-options.ts";
import { OBSERVER_KINDS } from "../core/session/observer.ts";
import { APP_OPTION_KINDS, type AppOptions } from "./app-options.ts";
import { Door, notAccepting, type Opening } from "./door.ts";
import { answer, notAttached, notFound, REFUSALS } from "./refusal.ts";
import type { Runtime } from "./runtime.ts";
import { UpgradeError } from "./upgrade-error.ts";

/** Where a WebSocket is opened, and where a plain request is told so. */
export const UPGRADE_PATHS: readonly string[] = ["/ws", "/echo"];

/**
 * The relay's routes, as a Hono app of their own.
 *
 * @throws {RangeError} When `origins` or `trustedProxies` is no such list, or a number is not positive.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 */
export function createApp<E extends Env>(relay: Relay, runtime: Runtime<E>, options: AppOptions = {}): Hono<E> {
  checkOptions("Cannot make the relay's routes", options, APP_OPTION_KINDS, { observer: OBSERVER_KINDS });
  const app = new Hono<E>();
  const door = new Door(relay, runtime, options);

  app.all("/ws", (c) =>
    door.enter(c, ({ id, rooms, to, expiresAt }, client) => {
      const protocol = negotiate(c.req.header("sec-websocket-protocol"), c.req.query("from") === "1");
      const count = c.req.query("attempt") ?? "";
      const handshake: Handshake = {
        protocol,
        id,
        resume: c.req.query("resume"),
        attempt: /^\d{1,9}$/.test(count) ? Number(count) : undefined,
        grant: { rooms, to },
        expiresInMs: expiresAt === undefined ? undefined : Math.max(0, expiresAt - Date.now()),
        client,
      };
      return relay.hasRoomFor(handshake) ? opening(relay, handshake, protocol.name) : undefined;
    }),
  );
  app.all("/echo", (c) => door.enter(c, (_granted, client) => openingEcho(relay, client)));
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const isReady = relay.accepts && relay.hasRoomFor({});
    return isReady ? c.json({ status: "ready" }) : answer(c, notAccepting(relay));
  });

  // A mounted app answers its own root: Hono does not mount what is here.
  app.notFound((c) => (asksForPage(c) ? page(c) : door.turnAway(c, notFound(c.req.path))));
  let isToldOfServer = false;
  app.onError((error, c) => {
    const isServers = error instanceof UpgradeError;
    if (!(isServers && isToldOfServer)) door.reportFailure(error);
    isToldOfServer ||= isServers;
    return answer(c, isServers ? notAttached(error.message) : REFUSALS.failed);
  });
  return app;
}

/** What somebody reads at `/` who looks at a relay with a browser. */
const PAGE = `This is hono-relay, a WebSocket relay.

/ws       the relay: "id:message" reaches the client with that id
/echo     sends each message back
/healthz  200 while the process lives
/readyz   200 while the relay takes connections

Try it in a terminal: npx wscat -s relay.v1.text -c ws://127.0.0.1:8080/ws, with this relay's address; :help lists the commands.
`;

function page(c: Context): Response {
  // Named here: the default that a Response has for text is missing in the answer to HEAD.
  return c.body(PAGE, 200, { "Content-Type": "text/plain; charset=utf-8" });
}

function asksForPage(c: Context): boolean {
  const { method, path } = c.req;
  return path === "/" && (method === "GET" || method === "HEAD") && c.req.header("upgrade") === undefined;
}

// Functions of their own, so that what opens holds nothing of the request.

function opening(relay: Relay, handshake: Handshake, protocol: string | undefined): Opening {
  return { open: (connection, place) => relay.open(connection, handshake, place), protocol };
}

function openingEcho(relay: Relay, client: ClientOrigin): Opening {
  return { open: (connection, place) => relay.openEcho(connection, place, client), protocol: undefined };
}
