import type { WebSocketHandler } from "bun";
import type { Context, Hono } from "hono";
import { Relay } from "../core/relay.ts";
import { createApp } from "../http/app.ts";
import { type BunEnv, type BunSocketData, createBunWebSocket, upgradeWebSocket } from "./bun-upgrade.ts";
import { type RuntimeOptions, toRelayOptions } from "./options.ts";

/** A relay for `Bun.serve`. */
export interface BunRelay {
  readonly relay: Relay;
  /** Mount them: `app.route("/relay", routes)`, and serve with `fetch: (request, server) => app.fetch(request, { server })`. */
  readonly routes: Hono<BunEnv>;
  /** The `websocket` of `Bun.serve`. */
  readonly websocket: WebSocketHandler<BunSocketData>;
}

function peerAddress(c: Context<BunEnv>): string | undefined {
  return c.env.server.requestIP(c.req.raw)?.address;
}

/**
 * Makes a relay that mounts in an app served by `Bun.serve`.
 *
 * @throws {RangeError} When a number among the options is not positive.
 */
export function createBunRelay(options: RuntimeOptions = {}): BunRelay {
  const relay = new Relay(toRelayOptions(options));
  return {
    relay,
    routes: createApp(relay, { upgradeWebSocket, peerAddress }, options),
    websocket: createBunWebSocket(relay.limits),
  };
}
