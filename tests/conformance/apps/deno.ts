import { createDenoRelay } from "hono-relay/deno";
import { createApp, options, sayListening, serveCommands, unobserved } from "./hooks.ts";
import { mountBehindMiddleware } from "./middleware.ts";

const { relay, routes } = createDenoRelay(options);
const app = createApp().route("/relay", routes);
app.route("/unobserved", createDenoRelay(unobserved).routes);
mountBehindMiddleware(app, routes);
serveCommands(app, relay);
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => sayListening(port) }, (request, info) =>
  app.fetch(request, info),
);
