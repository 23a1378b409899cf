/**
 * The relay for an app on `Bun.serve`.
 *
 * @module hono-relay/bun
 */
import type { WebSocketHandler } from "bun";
import type { Context, Hono } from "hono";
import { Relay } from "../../core/relay.ts";
import { createRelayApp } from "../../http/app.ts";
import { fetchDirectly } from "../../http/direct.ts";
import { type RuntimeOptions, splitOptions } from "../options.ts";
import {
  type BunConnection,
  type BunEnv,
  createBunWebSocket,
  serverOf,
  startDirectUpgrade,
  upgradeWebSocket,
} from "./upgrade.ts";

export type { RuntimeOptions } from "../options.ts";
export type { BunEnv } from "./upgrade.ts";

/** A relay for an app on `Bun.serve`. */
export interface BunRelay {
  /** The relay itself: its limits, its counts, its shutdown. */
  readonly relay: Relay;
  /** The relay's routes. Mount them with `app.route("/relay", routes)`. */
  readonly routes: Hono<BunEnv>;
  /** The WebSocket handlers for `Bun.serve({ fetch: app.fetch, websocket })`. */
  readonly websocket: WebSocketHandler<BunConnection>;
}

function peerAddress(c: Context<BunEnv>): string | undefined {
  return serverOf(c.env)?.requestIP(c.req.raw)?.address;
}

/**
 * Makes a relay that mounts in an app served by `Bun.serve`.
 *
 * @throws {RangeError} When a number among the options is outside its range.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { createBunRelay } from "hono-relay/bun";
 *
 * const app = new Hono();
 * const { routes, websocket } = createBunRelay({ heartbeatMs: 2000 });
 * app.route("/relay", routes);
 * Bun.serve({ fetch: app.fetch, websocket, port: 3000 });
 * ```
 */
export function createBunRelay(options: RuntimeOptions = {}): BunRelay {
  const split = splitOptions(options);
  const relay = new Relay(split.relay);
  const app = createRelayApp(relay, { upgradeWebSocket, peerAddress }, split.app);
  fetchDirectly(app, startDirectUpgrade);
  return { relay, routes: app.routes, websocket: createBunWebSocket(relay.limits) };
}
