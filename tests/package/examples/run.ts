// Runs compiled examples one after another, each against a relay of its own, and prints a line of JSON for each.
// Runs on Node, Bun and Deno: those that start a server in the way of one runtime run there.
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { connect, type RelayClient } from "hono-relay/client";
import { WebSocket } from "ws";
import { createHelpers, type Said } from "./helpers.ts";

const EXAMPLE_MS = 15_000;
const TALK_MS = 10;

globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket; // Node 20 has none.
const { log } = console;
for (const name of ["log", "error", "warn"] as const) console[name] = () => {};

let failure: unknown;
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    failure ??= error;
  });
}

for (const file of process.argv.slice(2)) {
  failure = undefined;
  try {
    await within(run(file));
  } catch (error) {
    failure ??= error;
  }
  log(JSON.stringify({ error: failure instanceof Error ? failure.stack : String(failure ?? "") }));
}
process.exit(0);

async function run(file: string): Promise<void> {
  const source = await readFile(file, "utf8");
  const port = await findPort();
  const startsServer = /\bport: 3000\b/.test(source);
  Object.assign(globalThis, createHelpers());
  const stop = startsServer ? undefined : await startRelay(port);
  await writeFile(
    file,
    source.replaceAll("127.0.0.1:8080", `127.0.0.1:${port}`).replaceAll("port: 3000", `port: ${port}`),
  );
  await import(pathToFileURL(file).href);
  const paths = [...source.matchAll(/\.route\("([^"]+)"/g)].map(([, path]) => path);
  if (startsServer) for (const path of paths) await checkAnswer(`ws://127.0.0.1:${port}${path}/echo`);
  await stop?.();
}

/** Starts a relay, and gives the examples the client that they call `relay`, and one to talk with. */
async function startRelay(port: number): Promise<() => Promise<void>> {
  const { createNodeRelay } = await import("hono-relay/node");
  const { serve } = await import("@hono/node-server");
  const { relay, routes, attach } = createNodeRelay();
  const server = serve({ fetch: routes.fetch, hostname: "127.0.0.1", port });
  attach(server, routes);
  await once(server, "listening");
  const one = connect<Said>(`ws://127.0.0.1:${port}/ws`);
  await one.ready;
  const two = connect<Said>(`ws://127.0.0.1:${port}/ws`);
  await two.room("lobby").join();
  Object.assign(globalThis, { relay: one });
  const timer = setInterval(() => talk(one, two), TALK_MS);
  return async () => {
    clearInterval(timer);
    one.close();
    two.close();
    await relay.shutdown();
    server.close();
  };
}

function talk(one: RelayClient<Said>, two: RelayClient<Said>): void {
  two.send(one.id, { text: "hello" });
  two.room("lobby").publish({ text: "hello, all" });
}

/** Checks that a server answers the handshake: by a WebSocket, or by saying who may connect. */
async function checkAnswer(url: string): Promise<void> {
  for (;;) {
    const answer = await new Promise<string>((resolve) => {
      const socket = new WebSocket(url);
      socket.on("open", () => resolve("open"));
      socket.on("unexpected-response", (_request, { statusCode }) => resolve(`status ${statusCode}`));
      socket.on("error", ({ message }) => resolve(message));
    });
    if (/^(open|status 40[13])$/.test(answer)) return;
    if (!answer.includes("ECONNREFUSED")) throw new Error(`${url}: ${answer}`);
    await new Promise((resolve) => setTimeout(resolve, TALK_MS));
  }
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // A server that listens on TCP has such an address.
  server.close();
  return port;
}

async function within(running: Promise<void>): Promise<void> {
  const late = new Promise<never>((_resolve, reject) =>
    setTimeout(() => reject(new Error(`It does not end within ${EXAMPLE_MS} ms`)), EXAMPLE_MS),
  );
  await Promise.race([running, late]);
}
