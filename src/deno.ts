import { createDenoRelay } from "./runtime/deno.ts";
import { start } from "./start.ts";

await start((options, config) => {
  const { relay, routes } = createDenoRelay(options);
  const server = Deno.serve({ hostname: config.host, port: config.port, onListen: () => {} }, (request, info) =>
    routes.fetch(request, info),
  );
  return { relay, port: server.addr.port, stop: () => {} };
});
