import type { Client } from "./client.ts";
import type { Server } from "./server.ts";

export const TEXT_PROTOCOL = "relay.v1.text";

/** Connects a client of `relay.v1.text`, and takes its id from the welcome. */
export async function connectText(server: Server): Promise<Client> {
  await server.openRegistrar();
  const client = await server.open("/ws", [TEXT_PROTOCOL]);
  const welcome = await client.next();
  const id = /^:welcome (\S+)$/.exec(String(welcome))?.[1];
  if (id === undefined) throw new Error(`Expected a welcome, got ${welcome}`);
  client.id = id;
  return client;
}

/** Takes the client's next lines. */
export async function nextLines(client: Client, count: number): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < count) lines.push(String(await client.next()));
  return lines;
}
