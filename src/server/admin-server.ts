import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";

/**
 * Serves the app on a port of its own, over node:http on every runtime.
 *
 * @returns The port.
 * @throws {Error} When it cannot listen.
 */
export async function listenForAdmin(app: Hono, port: number, hostname: string): Promise<number> {
  // By default node-server replaces the global Request and Response, and Bun.serve and Deno.serve need their own.
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false });
  server.listen(port, hostname);
  await once(server, "listening");
  const address = server.address() as AddressInfo; // It is on TCP.
  return address.port;
}
