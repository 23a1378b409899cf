#!/usr/bin/env node
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createAdaptorServer } from "@hono/node-server";
import { listenAgainAfterExhaustion } from "./runtime/node/deno-listen.ts";
import { createNodeRelay } from "./runtime/node/relay.ts";
import { start } from "./server/start.ts";

/**
 * Drops a client that has not sent the head of its request after 10 s. Node, and the node:http of Bun 1.4 and Deno 2.9,
 * count from the start of the connection. The check runs every second, because Node's default interval of 30 s is
 * longer than the timeout itself.
 */
const HANDSHAKE_TIMEOUT = { headersTimeout: 10_000, connectionsCheckingInterval: 1000 };

await start(async (options, config) => {
  const { relay, routes, attach } = createNodeRelay(options);
  // Without the option createServer, createAdaptorServer makes a node:http server.
  const server = createAdaptorServer({ fetch: routes.fetch, serverOptions: HANDSHAKE_TIMEOUT }) as Server;
  attach(server, routes);
  server.listen(config.port, config.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // The type also covers servers on a pipe; this one is on TCP.
  const stopWatching = "deno" in process.versions ? listenAgainAfterExhaustion(server, port, config.host) : () => {};
  return {
    relay,
    port,
    stopListening: () => {
      stopWatching();
      server.close();
    },
    stop: () => server.closeAllConnections(),
  };
});
