import { rmSync } from "node:fs";
import { createDenoRelay } from "./runtime/deno/relay.ts";
import type { ListenAddress } from "./server/address.ts";
import { CannotListen, start } from "./server/start.ts";

/** Delay before the listener is opened again, in milliseconds. */
const REOPEN_MS = 250;

await start((options, { address, keyPair, addRoutes }) => {
  if (address.type === "inherited")
    throw new CannotListen("Deno.serve cannot use a socket of systemd; src/node.ts can");
  const { relay, routes } = createDenoRelay(options);
  addRoutes(routes, relay);
  const listen = (at: Exclude<ListenAddress, { type: "inherited" }>): Deno.HttpServer =>
    at.type === "unix"
      ? Deno.serve({ path: at.path, onListen: () => {} }, (request, info) => routes.fetch(request, info))
      : Deno.serve({ hostname: at.host, port: at.port, onListen: () => {}, ...keyPair }, (request, info) =>
          routes.fetch(request, info),
        );
  const server = listen(address);
  const { addr } = server;
  const bound = address.type === "tcp" && "port" in addr ? { ...address, port: addr.port } : address;
  /**
   * Opens a new listener when one has ended. Deno 2.9 ends a listener, and with it the process, when it has no file
   * descriptor for a new connection.
   */
  const keepListening = (current: Deno.HttpServer): void => {
    const reopen = (): void => {
      try {
        if (bound.type === "unix") rmSync(bound.path, { force: true });
        keepListening(listen(bound));
      } catch {
        setTimeout(reopen, REOPEN_MS);
      }
    };
    current.finished.catch(() => setTimeout(reopen, REOPEN_MS));
  };
  keepListening(server);
  return {
    relay,
    address: bound,
    // Deno.serve 2.9 closes its WebSockets with 1001 when it stops listening. The relay refuses new ones itself.
    stopListening: () => {},
    stop: () => {},
  };
});
