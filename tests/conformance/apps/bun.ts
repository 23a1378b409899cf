import { createBunRelay } from "hono-relay/bun";
import { createHouse, options, sayListening } from "./rules.ts";

const { routes, websocket } = createBunRelay(options);
const app = createHouse().route("/relay", routes);
const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => app.fetch(request, { server }),
  websocket,
});
sayListening(port);
