import { createDenoRelay } from "hono-relay/deno";
import { mountBehindMiddleware } from "./middleware.ts";
import { createHouse, options, sayListening, unobserved } from "./rules.ts";

const { routes } = createDenoRelay(options);
const app = createHouse().route("/relay", routes);
app.route("/unobserved", createDenoRelay(unobserved).routes);
mountBehindMiddleware(app, routes);
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => sayListening(port) }, (request, info) =>
  app.fetch(request, info),
);
