import { createBunRelay } from "./runtime/bun/relay.ts";
import { start } from "./server/start.ts";

/** Milliseconds that clients have to read their close when the relay ends. */
const LINGER_MS = 1000;

await start((options, config) => {
  const { relay, routes, websocket } = createBunRelay(options);
  const server = Bun.serve({
    hostname: config.host,
    port: config.port,
    fetch: routes.fetch,
    websocket,
  });
  return {
    relay,
    port: server.port ?? config.port,
    stop: async (closed) => {
      // Bun 1.4 counts a connection as gone with its close frame, and tells nobody when its client has followed. Until then the socket must
      // be read: Linux resets one that ends with unread bytes, and drops what it had still to send, the close frame too.
      if (closed > 0) await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
      await server.stop(true);
    },
  };
});
