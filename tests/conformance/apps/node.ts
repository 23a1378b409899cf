import { serve } from "@hono/node-server";
import { createNodeRelay } from "hono-relay/node";
import { createHouse, options, sayListening } from "./rules.ts";

const { routes, attach } = createNodeRelay(options);
const app = createHouse().route("/relay", routes);
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => sayListening(port));
attach(server, app);
