#!/usr/bin/env node
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { createApp } from "./http/app.ts";
import { createNodeUpgrade } from "./runtime/node-upgrade.ts";
import { start } from "./start.ts";

await start(async (relay, config) => {
  const { upgradeWebSocket, attach } = createNodeUpgrade({ maxMessageBytes: config.maxMessageBytes });
  const app = createApp(relay, upgradeWebSocket);
  // Without createServer among its options, createAdaptorServer makes a node:http server.
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  attach(server, app);
  server.listen(config.port, config.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A server that listens on TCP has such an address.
  return {
    port,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
});
