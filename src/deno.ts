import { createApp } from "./http/app.ts";
import { createDenoUpgrade } from "./runtime/deno-upgrade.ts";
import { start } from "./start.ts";

await start((relay, config) => {
  const idleTimeoutSeconds = Math.ceil((config.heartbeatMs * config.heartbeatMisses) / 1000);
  const app = createApp(relay, createDenoUpgrade({ idleTimeoutSeconds }));
  const server = Deno.serve({ hostname: config.host, port: config.port, onListen: () => {} }, (request) =>
    app.fetch(request),
  );
  return { port: server.addr.port, stop: () => {} };
});
