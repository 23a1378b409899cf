import { createDenoRelay } from "./runtime/deno/relay.ts";
import { start } from "./server/start.ts";

/** Delay before the listener is opened again, in milliseconds. */
const REOPEN_MS = 250;

await start((options, config) => {
  const { relay, routes } = createDenoRelay(options);
  const listen = (port: number): Deno.HttpServer<Deno.NetAddr> =>
    Deno.serve({ hostname: config.host, port, onListen: () => {} }, (request, info) => routes.fetch(request, info));
  /**
   * Opens a new listener when one has ended. Deno 2.9 ends a listener, and with it the process, when it has no file
   * descriptor for a new connection.
   */
  const keepListening = (server: Deno.HttpServer<Deno.NetAddr>): void => {
    const { port } = server.addr;
    const reopen = (): void => {
      try {
        keepListening(listen(port));
      } catch {
        setTimeout(reopen, REOPEN_MS);
      }
    };
    server.finished.catch(() => setTimeout(reopen, REOPEN_MS));
  };
  const server = listen(config.port);
  keepListening(server);
  return {
    relay,
    port: server.addr.port,
    // Deno.serve 2.9 closes its WebSockets with 1001 when it stops listening. The relay refuses new ones itself.
    stopListening: () => {},
    stop: () => {},
  };
});
