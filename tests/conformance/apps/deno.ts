import { createDenoRelay } from "hono-relay/deno";
import { createHouse, options, sayListening } from "./rules.ts";

const { routes } = createDenoRelay(options);
const app = createHouse().route("/relay", routes);
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => sayListening(port) }, (request, info) =>
  app.fetch(request, info),
);
