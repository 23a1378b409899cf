#!/usr/bin/env node
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { createNodeRelay } from "./runtime/node.ts";
import { start } from "./start.ts";

await start(async (options, config) => {
  const { relay, routes, attach } = createNodeRelay(options);
  // Without createServer among its options, createAdaptorServer makes a node:http server.
  const server = createAdaptorServer({ fetch: routes.fetch }) as Server;
  attach(server, routes);
  server.listen(config.port, config.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A server that listens on TCP has such an address.
  return {
    relay,
    port,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
});
