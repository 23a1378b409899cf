import type { Context, Hono } from "hono";
import { Relay } from "../core/relay.ts";
import { createApp } from "../http/app.ts";
import { createNodeUpgrade, type NodeEnv, type NodeUpgrade } from "./node-upgrade.ts";
import { type RuntimeOptions, toRelayOptions } from "./options.ts";

/** A relay for node:http, on Node and as well on Deno and Bun. */
export interface NodeRelay {
  readonly relay: Relay;
  /** Mount them: `app.route("/relay", routes)`. */
  readonly routes: Hono<NodeEnv>;
  /** Has the server's upgrade requests answered by the app that the routes are mounted in. Call it once. */
  readonly attach: NodeUpgrade["attach"];
}

function peerAddress(c: Context<NodeEnv>): string | undefined {
  return c.env.incoming.socket.remoteAddress;
}

/**
 * Makes a relay that mounts in an app served by `@hono/node-server`.
 *
 * @throws {RangeError} When a number among the options is not positive.
 */
export function createNodeRelay(options: RuntimeOptions = {}): NodeRelay {
  const relay = new Relay(toRelayOptions(options));
  const { maxMessageBytes } = relay.limits;
  const { upgradeWebSocket, attach } = createNodeUpgrade({ maxMessageBytes });
  return { relay, routes: createApp(relay, { upgradeWebSocket, peerAddress }, options), attach };
}
