import { createApp } from "./http/app.ts";
import { type BunEnv, createBunWebSocket, upgradeWebSocket } from "./runtime/bun-upgrade.ts";
import { start } from "./start.ts";

await start((relay, config) => {
  const app = createApp<BunEnv>(relay, upgradeWebSocket);
  const server = Bun.serve({
    hostname: config.host,
    port: config.port,
    fetch: (request, server) => app.fetch(request, { server }),
    websocket: createBunWebSocket(config),
  });
  return { port: server.port ?? config.port, stop: () => server.stop(true) };
});
