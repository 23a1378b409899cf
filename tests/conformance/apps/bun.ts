import { createBunRelay } from "hono-relay/bun";
import { mountBehindMiddleware } from "./middleware.ts";
import { createHouse, options, sayListening, unobserved } from "./rules.ts";

const { routes, websocket } = createBunRelay(options);
const app = createHouse().route("/relay", routes);
app.route("/unobserved", createBunRelay(unobserved).routes);
mountBehindMiddleware(app, routes);
const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => app.fetch(request, { server }),
  websocket,
});
sayListening(port);
