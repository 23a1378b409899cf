import { createBunRelay } from "./runtime/bun/relay.ts";
import { start } from "./server/start.ts";

/** Time for clients to read their close frames at a shutdown, in milliseconds. */
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
    stopListening: () => void server.stop(false),
    stop: async (closedConnections) => {
      // Bun 1.4 reports a connection as closed when its close frame is written, and does not report the client's
      // answer. The process must still read the sockets for a while: Linux resets a socket that is closed with unread
      // bytes, and drops the bytes that it has not sent, the close frame among them.
      if (closedConnections > 0) await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
      await server.stop(true);
    },
  };
});
