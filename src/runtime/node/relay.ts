/**
 * The relay for an app on node:http, on Node, Bun and Deno.
 *
 * @module hono-relay/node
 */
import type { Context, Hono } from "hono";
import { Relay } from "../../core/relay.ts";
import { createRelayApp } from "../../http/app.ts";
import { type RuntimeOptions, splitOptions } from "../options.ts";
import { addClaim, type UpgradeServer } from "./attach.ts";
import { createClaim, type NodeApp } from "./routes.ts";
import { createNodeUpgrade, type NodeEnv } from "./upgrade.ts";

export type { RuntimeOptions } from "../options.ts";
export type { NodeEnv } from "./upgrade.ts";

/** A relay for an app on node:http, on Node, Bun and Deno. */
export interface NodeRelay {
  /** The relay itself: its limits, its counts, its shutdown. */
  readonly relay: Relay;
  /** The relay's routes. Mount them with `app.route("/relay", routes)`. */
  readonly routes: Hono<NodeEnv>;
  /**
   * Has the app answer the server's WebSocket handshakes for the mounted routes. All other requests go where they would
   * go without this call, including requests for other upgrades.
   *
   * @throws {TypeError} When the routes are not mounted in the app.
   * @throws {Error} When the relay is attached to the server already.
   */
  attach(server: UpgradeServer, app: NodeApp): void;
}

function peerAddress(c: Context<NodeEnv>): string | undefined {
  return c.env.incoming.socket.remoteAddress;
}

/**
 * Makes a relay that mounts in an app served by `@hono/node-server`.
 *
 * @throws {RangeError} When a number among the options is outside its range.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 * @example
 * ```ts
 * import { serve } from "@hono/node-server";
 * import { Hono } from "hono";
 * import { createNodeRelay } from "hono-relay/node";
 *
 * const app = new Hono();
 * const { routes, attach } = createNodeRelay({ heartbeatMs: 2000 });
 * app.route("/relay", routes);
 * attach(serve({ fetch: app.fetch, port: 3000 }), app);
 * ```
 */
export function createNodeRelay(options: RuntimeOptions = {}): NodeRelay {
  const split = splitOptions(options);
  const relay = new Relay(split.relay);
  const { closeTimeoutMs, limits } = relay;
  const upgrade = createNodeUpgrade({ maxMessageBytes: limits.maxMessageBytes, closeTimeoutMs });
  const app = createRelayApp(relay, { upgradeWebSocket: upgrade.upgradeWebSocket, peerAddress }, split.app);
  const attached = new WeakSet<UpgradeServer>();
  return {
    relay,
    routes: app.routes,
    attach: (server, mountedIn) => {
      if (attached.has(server)) throw new Error("Cannot attach the relay: it is attached to this server already");
      addClaim(server, createClaim(mountedIn, app, upgrade));
      attached.add(server);
    },
  };
}
