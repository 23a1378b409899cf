import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createNodeWebSocket } from "@hono/node-ws";
import { Hono } from "hono";
import { createNodeRelay } from "hono-relay/node";
import { Server as SocketIo } from "socket.io";
import { type WebSocket, WebSocketServer } from "ws";

/** Servers on which others listen for upgrades beside the relay. */

function echo(ws: WebSocket): void {
  ws.on("message", (message) => ws.send(`echo:${message}`));
}

/** Others that leave alone what is not theirs. Socket.IO destroys it after a second. */
function bePolite(server: Server): void {
  new SocketIo(server).on("connection", (socket) => {
    socket.on("say", (text) => socket.emit("said", text));
  });
  const byPath = new WebSocketServer({ noServer: true }).on("connection", echo);
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== "/own") return;
    byPath.handleUpgrade(request, socket, head, (ws) => byPath.emit("connection", ws, request));
  });
  // As Vite finds the pages that wait for its hot updates.
  const hotUpdates = new WebSocketServer({ noServer: true, handleProtocols: () => "vite-hmr" }).on("connection", echo);
  server.on("upgrade", (request, socket, head) => {
    if (request.headers["sec-websocket-protocol"] !== "vite-hmr") return;
    hotUpdates.handleUpgrade(request, socket, head, (ws) => hotUpdates.emit("connection", ws, request));
  });
}

/** Answers 400 to each handshake that is not for its path; graphql-ws is served so. */
function beWs(server: Server): void {
  new WebSocketServer({ server, path: "/own" }).on("connection", echo);
}

/** Asks its app about each handshake, and answers it with the status that comes of it. */
function beNodeWs(server: Server): void {
  const app = new Hono();
  const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app });
  app.get(
    "/own",
    upgradeWebSocket(() => ({ onMessage: ({ data }, ws) => ws.send(`echo:${data}`) })),
  );
  injectWebSocket(server);
}

function beNobody(): void {}

const NEIGHBOURS = { polite: bePolite, ws: beWs, "node-ws": beNodeWs, nobody: beNobody };

let asked = 0;

/** A server whose app has the relay, and that is not told of it. */
function createForgotten(): Server {
  const app = new Hono().route("/relay", createNodeRelay().routes);
  return createServer(getRequestListener(app.fetch));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // A server that listens on TCP has such an address.
  return port;
}

/** Starts a server with two relays, at /relay and /second/deep; a handshake of theirs runs the app's middleware once. */
async function start(listenBeside: (server: Server) => void, areRelaysFirst: boolean): Promise<number> {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    if (c.req.header("x-counted") !== undefined) asked++;
  });
  app.get("/", (c) => c.text("somebody's app"));
  app.get("/later", async (c) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return c.text("later");
  });
  app.get("/asked", (c) => c.json(asked));
  app.post("/length", async (c) => c.json((await c.req.text()).length));
  const first = createNodeRelay({ authorize: () => ({ allow: true, id: "first" }) });
  const second = createNodeRelay({ authorize: () => ({ allow: true, id: "second" }) });
  app.route("/relay", first.routes);
  const deep = new Hono().route("/deep", second.routes).onError((_error, c) => c.text("deep", 500));
  app.route("/second", deep);
  const server = createServer(getRequestListener(app.fetch));
  const attach = (): void => {
    first.attach(server, app);
    second.attach(server, app);
  };
  if (areRelaysFirst) attach();
  listenBeside(server);
  if (!areRelaysFirst) attach();
  return listen(server);
}

const ports: Record<string, number> = { forgotten: await listen(createForgotten()) };
for (const [name, listenBeside] of Object.entries(NEIGHBOURS)) {
  ports[`${name} first`] = await start(listenBeside, false);
  ports[`${name} last`] = await start(listenBeside, true);
}

/** Tells where the servers are. */
const index = createServer((_request, response) => response.end(JSON.stringify(ports)));
console.log(`listening on http://127.0.0.1:${await listen(index)}`);
