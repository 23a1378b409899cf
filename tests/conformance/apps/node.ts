import { serve } from "@hono/node-server";
import { createNodeRelay } from "hono-relay/node";
import { mountBehindMiddleware } from "./middleware.ts";
import { createHouse, options, sayListening, unobserved } from "./rules.ts";

const { routes, attach } = createNodeRelay(options);
const app = createHouse().route("/relay", routes);
const other = createNodeRelay(unobserved);
app.route("/unobserved", other.routes);
mountBehindMiddleware(app, routes);
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => sayListening(port));
attach(server, app);
other.attach(server, app);
