import { createBunRelay } from "hono-relay/bun";
import { createApp, options, sayListening, serveCommands, unobserved } from "./hooks.ts";
import { mountBehindMiddleware } from "./middleware.ts";

const { relay, routes, websocket } = createBunRelay(options);
const app = createApp().route("/relay", routes);
app.route("/unobserved", createBunRelay(unobserved).routes);
mountBehindMiddleware(app, routes);
serveCommands(app, relay);
const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => app.fetch(request, { server }),
  websocket,
});
sayListening(port);
