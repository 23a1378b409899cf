import { createBunRelay } from "./runtime/bun/relay.ts";
import type { ListenAddress } from "./server/address.ts";
import { CannotListen, start } from "./server/start.ts";
import type { KeyPair } from "./server/tls.ts";

/** Time for clients to read their close frames at a shutdown, in milliseconds. */
const LINGER_MS = 1000;

await start((options, { address, keyPair, addRoutes }) => {
  if (address.type === "inherited") throw new CannotListen("Bun 1.4 cannot use a socket of systemd");
  const { relay, routes, websocket } = createBunRelay(options);
  addRoutes(routes, relay);
  const serve = (at: Exclude<ListenAddress, { type: "inherited" }>, pair: KeyPair | undefined) =>
    Bun.serve({
      ...(at.type === "unix" ? { unix: at.path } : { hostname: at.host, port: at.port }),
      ...(pair !== undefined && { tls: pair }),
      fetch: routes.fetch,
      websocket,
    });
  let server = serve(address, keyPair);
  const bound = address.type === "tcp" ? { ...address, port: server.port ?? address.port } : address;
  return {
    relay,
    address: bound,
    replaceKeyPair: (pair) => {
      // `reload` of Bun 1.4 does not take it. A server that was stopped keeps its open connections.
      void server.stop(false);
      server = serve(bound, pair);
    },
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
