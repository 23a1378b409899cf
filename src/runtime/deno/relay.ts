/**
 * The relay for an app on `Deno.serve`.
 *
 * @module hono-relay/deno
 */
import type { Context, Hono } from "hono";
import { Relay } from "../../core/relay.ts";
import { createRelayApp } from "../../http/app.ts";
import { fetchDirectly } from "../../http/direct.ts";
import { type RuntimeOptions, splitOptions } from "../options.ts";
import { createDenoUpgrade, type DenoEnv, peerAddressOf } from "./upgrade.ts";

export type { RuntimeOptions } from "../options.ts";
export type { DenoEnv } from "./upgrade.ts";

/** A relay for an app on `Deno.serve`. */
export interface DenoRelay {
  /** The relay itself: its limits, its counts, its shutdown. */
  readonly relay: Relay;
  /** The relay's routes. Mount them with `app.route("/relay", routes)`. */
  readonly routes: Hono<DenoEnv>;
}

function peerAddress(c: Context<DenoEnv>): string | undefined {
  // An app whose `fetch` is called without a second argument has no env in its contexts.
  return peerAddressOf(c.env as DenoEnv["Bindings"] | undefined);
}

/**
 * Makes a relay that mounts in an app served by `Deno.serve`. docs/protocol.md lists the promises that a relay on
 * Deno's own socket cannot keep.
 *
 * @throws {RangeError} When a number among the options is outside its range.
 * @throws {TypeError} When an option does not exist or is of a wrong type.
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { createDenoRelay } from "hono-relay/deno";
 *
 * const app = new Hono();
 * const { routes } = createDenoRelay({ heartbeatMs: 2000 });
 * app.route("/relay", routes);
 * Deno.serve({ port: 3000 }, app.fetch);
 * ```
 */
export function createDenoRelay(options: RuntimeOptions = {}): DenoRelay {
  const { heartbeatMs = 5000, heartbeatMisses = 3 } = options;
  const split = splitOptions(options);
  const relay = new Relay(split.relay);
  const idleTimeoutSeconds = Math.ceil((heartbeatMs * heartbeatMisses) / 1000);
  const { upgradeWebSocket, startDirectUpgrade } = createDenoUpgrade({ idleTimeoutSeconds });
  const app = createRelayApp(relay, { upgradeWebSocket, peerAddress }, split.app);
  fetchDirectly(app, startDirectUpgrade);
  return { relay, routes: app.routes };
}
