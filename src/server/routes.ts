import { type Env, Hono } from "hono";
import type { Relay } from "../core/relay.ts";
import { createAbsentAdminApi, createAdminApi } from "../http/admin/admin-api.ts";
import type { Metrics } from "../http/metrics/metrics.ts";
import type { Config } from "./config.ts";

/** Adds the routes that the relay has as a process of its own to those that it has in an app. */
export function addServerRoutes<E extends Env>(
  routes: Hono<E>,
  relay: Relay,
  config: Config,
  metrics: Metrics | undefined,
): void {
  const { apiKeys, adminPort, metrics: access } = config;
  if (adminPort > 0) {
    routes.route("/", createAbsentAdminApi("it has a port of its own, RELAY_ADMIN_PORT"));
    return;
  }
  routes.route("/", adminRoutes(relay, apiKeys));
  if (metrics !== undefined) routes.route("/", metrics.routes(relay, { keys: access === "open" ? "open" : apiKeys }));
}

/** Makes the app for `RELAY_ADMIN_PORT`: the admin API, and metrics without a key. */
export function createAdminApp(relay: Relay, { apiKeys }: Config, metrics: Metrics | undefined): Hono {
  const app = new Hono();
  app.route("/", adminRoutes(relay, apiKeys));
  if (metrics !== undefined) app.route("/", metrics.routes(relay, { keys: "open" }));
  return app;
}

function adminRoutes(relay: Relay, keys: readonly string[]): Hono {
  return keys.length > 0
    ? createAdminApi(relay, { keys })
    : createAbsentAdminApi("it is off: RELAY_API_KEY is not set");
}

/** Whether somebody can read the metrics; nothing is counted for nobody. */
export function servesMetrics({ apiKeys, adminPort, metrics }: Config): boolean {
  return metrics === "open" || (metrics === "key" && (apiKeys.length > 0 || adminPort > 0));
}
