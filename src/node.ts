#!/usr/bin/env node
import { once } from "node:events";
import type { Server } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import process from "node:process";
import { createAdaptorServer } from "@hono/node-server";
import { listenAgainAfterExhaustion } from "./runtime/node/deno-listen.ts";
import { createNodeRelay } from "./runtime/node/relay.ts";
import type { ListenAddress } from "./server/address.ts";
import { CannotListen, start } from "./server/start.ts";
import type { KeyPair } from "./server/tls.ts";

/**
 * Drops a client that has not sent the head of its request after 10 s. Node, and the node:http of Bun 1.4 and Deno 2.9,
 * count from the start of the connection. The check runs every second, because Node's default interval of 30 s is
 * longer than the timeout itself.
 */
const HANDSHAKE_TIMEOUT = { headersTimeout: 10_000, connectionsCheckingInterval: 1000 };

const isBun = "bun" in process.versions;
const isDeno = "deno" in process.versions;

await start(async (options, { address, keyPair, addRoutes }) => {
  if (isBun && address.type === "inherited") throw new CannotListen("Bun 1.4 cannot use a socket of systemd");
  const { relay, routes, attach } = createNodeRelay(options);
  addRoutes(routes, relay);
  const makeServer = (pair: KeyPair | undefined): Server => {
    const server = createAdaptorServer({
      fetch: routes.fetch,
      ...(pair === undefined
        ? { serverOptions: HANDSHAKE_TIMEOUT }
        : { createServer: createHttpsServer, serverOptions: { ...HANDSHAKE_TIMEOUT, ...pair } }),
    }) as Server; // Without createServer, createAdaptorServer makes a node:http server. One of node:https has its methods.
    attach(server, routes);
    return server;
  };
  let server = makeServer(keyPair);
  await listen(server, address);
  const bound = server.address();
  const boundAddress: ListenAddress =
    typeof bound === "string"
      ? { type: "unix", path: bound }
      : { type: "tcp", host: address.type === "tcp" ? address.host : (bound?.address ?? ""), port: bound?.port ?? 0 };
  const canListenAgain = isDeno && address.type !== "inherited";
  const stopWatching = canListenAgain ? listenAgainAfterExhaustion(server, boundAddress) : () => {};
  const stopListening = (): void => {
    stopWatching();
    server.close();
  };
  return {
    relay,
    address: boundAddress,
    replaceKeyPair: async (pair) => {
      const { setSecureContext } = server as Partial<HttpsServer>;
      if (setSecureContext !== undefined) {
        setSecureContext.call(server as HttpsServer, pair);
        return;
      }
      // The node:https of Bun 1.4 cannot replace it. A server that is closed keeps its open connections.
      const next = makeServer(pair);
      server.close();
      server = next;
      await listen(server, boundAddress);
    },
    stopListening,
    stop: () => {
      stopListening();
      server.closeAllConnections();
    },
  };
});

/** Listens. @throws {Error} When that fails. */
async function listen(server: Server, address: ListenAddress): Promise<void> {
  server.listen(address);
  await once(server, "listening");
}
