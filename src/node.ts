#!/usr/bin/env node
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createAdaptorServer } from "@hono/node-server";
import { listenAnewAfterExhaustion } from "./runtime/node/deno-listen.ts";
import { createNodeRelay } from "./runtime/node/relay.ts";
import { start } from "./server/start.ts";

/**
 * A client that has not said in time what it wants is dropped; looked for every second, as the half minute that Node takes by default
 * is longer than the time itself. Node, and the node:http of Bun 1.4 and Deno 2.9, count from the connection's first moment.
 */
const HANDSHAKE = { headersTimeout: 10_000, connectionsCheckingInterval: 1000 };

await start(async (options, config) => {
  const { relay, routes, attach } = createNodeRelay(options);
  // Without createServer among its options, createAdaptorServer makes a node:http server.
  const server = createAdaptorServer({ fetch: routes.fetch, serverOptions: HANDSHAKE }) as Server;
  attach(server, routes);
  server.listen(config.port, config.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A server that listens on TCP has such an address.
  if ("deno" in process.versions) listenAnewAfterExhaustion(server, port, config.host);
  return {
    relay,
    port,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
});
