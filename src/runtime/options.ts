import type { RelayOptions } from "../core/relay.ts";
import type { AppOptions } from "../http/app.ts";

/** A relay and the routes to it. */
export type RuntimeOptions = RelayOptions & AppOptions;
