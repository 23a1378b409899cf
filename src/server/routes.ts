import type { Env, Hono } from "hono";
import type { Relay } from "../core/relay.ts";
import { createAbsentAdminApi, createAdminApi } from "../http/admin/admin-api.ts";
import type { Config } from "./config.ts";

/** Adds the routes that the relay has as a process of its own to those that it has in an app. */
export function addServerRoutes<E extends Env>(routes: Hono<E>, relay: Relay, { apiKeys }: Config): void {
  routes.route("/", apiKeys.length > 0 ? createAdminApi(relay, { keys: apiKeys }) : createAbsentAdminApi());
}
