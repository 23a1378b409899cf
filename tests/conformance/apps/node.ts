import { serve } from "@hono/node-server";
import { createNodeRelay } from "hono-relay/node";
import { createApp, options, sayListening, serveCommands, unobserved } from "./hooks.ts";
import { mountBehindMiddleware } from "./middleware.ts";

const { relay, routes, attach } = createNodeRelay(options);
const app = createApp().route("/relay", routes);
const other = createNodeRelay(unobserved);
app.route("/unobserved", other.routes);
mountBehindMiddleware(app, routes);
serveCommands(app, relay);
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => sayListening(port));
attach(server, app);
other.attach(server, app);
