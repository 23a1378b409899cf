import type { Env, Hono } from "hono";
import { Relay } from "../core/relay.ts";
import { createApp } from "../http/app.ts";
import { createDenoUpgrade } from "./deno-upgrade.ts";
import type { RuntimeOptions } from "./options.ts";

/** A relay for `Deno.serve`. */
export interface DenoRelay {
  readonly relay: Relay;
  /** Mount them: `app.route("/relay", routes)`. */
  readonly routes: Hono<Env>;
}

/**
 * Makes a relay that mounts in an app served by `Deno.serve`. docs/protocol.md says what Deno's own socket cannot keep.
 *
 * @throws {RangeError} When a number among the options is not positive.
 */
export function createDenoRelay(options: RuntimeOptions = {}): DenoRelay {
  const { heartbeatMs = 5000, heartbeatMisses = 3 } = options;
  const relay = new Relay({ schedule: setImmediate, ...options });
  const idleTimeoutSeconds = Math.ceil((heartbeatMs * heartbeatMisses) / 1000);
  return { relay, routes: createApp(relay, createDenoUpgrade({ idleTimeoutSeconds }), options) };
}
