import { createBunRelay } from "./runtime/bun.ts";
import { start } from "./start.ts";

await start((options, config) => {
  const { relay, routes, websocket } = createBunRelay(options);
  const server = Bun.serve({
    hostname: config.host,
    port: config.port,
    fetch: (request, server) => routes.fetch(request, { server }),
    websocket,
  });
  return { relay, port: server.port ?? config.port, stop: () => server.stop(true) };
});
