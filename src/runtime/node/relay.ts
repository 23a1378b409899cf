/**
 * The relay for an app on node:http, as Node has it, and Bun and Deno as well.
 *
 * @module hono-relay/node
 */
import type { Context, Hono } from "hono";
import { Relay } from "../../core/relay.ts";
import { createApp } from "../../http/app.ts";
import { type RuntimeOptions, splitOptions } from "../options.ts";
import { attachClaim, type UpgradeServer } from "./attach.ts";
import { createClaim, type NodeApp } from "./routes.ts";
import { createNodeUpgrade, type NodeEnv } from "./upgrade.ts";

export type { RuntimeOptions } from "../options.ts";
export type { NodeEnv } from "./upgrade.ts";

/** A relay for node:http, on Node and as well on Deno and Bun. */
export interface NodeRelay {
  /** The relay itself: its limits, what it holds, its shutdown. */
  readonly relay: Relay;
  /** Mount them: `app.route("/relay", routes)`. */
  readonly routes: Hono<NodeEnv>;
  /**
   * Has the server's WebSocket handshakes for the routes answered by the app that they are mounted in. Every other request, also one that
   * asks for another upgrade, takes the way that it would take without this.
   *
   * @throws {TypeError} Where the routes are not mounted in the app.
   * @throws {Error} Where the relay is attached to the server already.
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
  const { maxMessageBytes } = relay.limits;
  const { upgradeWebSocket, answer } = createNodeUpgrade({ maxMessageBytes });
  const routes = createApp(relay, { upgradeWebSocket, peerAddress }, split.app);
  const attached = new WeakSet<UpgradeServer>();
  return {
    relay,
    routes,
    attach: (server, app) => {
      if (attached.has(server)) throw new Error("Cannot attach the relay: it is attached to this server already");
      attachClaim(server, createClaim(app, routes, answer));
      attached.add(server);
    },
  };
}
