import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createNodeWebSocket } from "@hono/node-ws";
import { Hono } from "hono";
import { createNodeRelay } from "hono-relay/node";
import { Server as SocketIo } from "socket.io";
import { type WebSocket, WebSocketServer } from "ws";

// Starts servers on which other programs listen for upgrade requests beside the relay. Serves a list of their ports.

function echo(ws: WebSocket): void {
  ws.on("message", (message) => ws.send(`echo:${message}`));
}

/** Adds Socket.IO, a ws server and Vite's. Each ignores others' requests; Socket.IO destroys unanswered ones. */
function addPoliteListeners(server: Server): void {
  new SocketIo(server).on("connection", (socket) => {
    socket.on("say", (text) => socket.emit("said", text));
  });
  const byPath = new WebSocketServer({ noServer: true }).on("connection", echo);
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== "/own") return;
    byPath.handleUpgrade(request, socket, head, (ws) => byPath.emit("connection", ws, request));
  });
  // Vite tells its pages from other clients by their subprotocol.
  const hotUpdates = new WebSocketServer({ noServer: true, handleProtocols: () => "vite-hmr" }).on("connection", echo);
  server.on("upgrade", (request, socket, head) => {
    if (request.headers["sec-websocket-protocol"] !== "vite-hmr") return;
    hotUpdates.handleUpgrade(request, socket, head, (ws) => hotUpdates.emit("connection", ws, request));
  });
}

/** Adds a ws server as graphql-ws uses it. It answers 400 to each handshake that is not for its path. */
function addWs(server: Server): void {
  new WebSocketServer({ server, path: "/own" }).on("connection", echo);
}

/** Adds node-ws. It passes each handshake to its own app, and answers with the app's status. */
function addNodeWs(server: Server): void {
  const app = new Hono();
  const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app });
  app.get(
    "/own",
    upgradeWebSocket(() => ({ onMessage: ({ data }, ws) => ws.send(`echo:${data}`) })),
  );
  injectWebSocket(server);
}

function addNone(): void {}

/** Functions that add other listeners to a server, by name. */
const NEIGHBOURS = { polite: addPoliteListeners, ws: addWs, "node-ws": addNodeWs, none: addNone };

/** Count of the handshakes that the app's middleware has seen. */
let handshakes = 0;

/** Creates a server whose app mounts the relay, and never calls `attach`. */
function createUnattached(): Server {
  const app = new Hono().route("/relay", createNodeRelay().routes);
  return createServer(getRequestListener(app.fetch));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // True of a server that listens on TCP.
  return port;
}

/** Starts a server with two relays, at /relay and /second/deep. @returns The port. */
async function start(addNeighbours: (server: Server) => void, areRelaysFirst: boolean): Promise<number> {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    if (c.req.header("x-counted") !== undefined) handshakes++;
  });
  app.get("/", (c) => c.text("somebody's app"));
  app.get("/later", async (c) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return c.text("later");
  });
  app.get("/handshakes", (c) => c.json(handshakes));
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
  addNeighbours(server);
  if (!areRelaysFirst) attach();
  return listen(server);
}

const ports: Record<string, number> = { unattached: await listen(createUnattached()) };
for (const [name, addNeighbours] of Object.entries(NEIGHBOURS)) {
  ports[`${name} first`] = await start(addNeighbours, false);
  ports[`${name} last`] = await start(addNeighbours, true);
}

/** Serves the list of ports. */
const index = createServer((_request, response) => response.end(JSON.stringify(ports)));
console.log(`listening on http://127.0.0.1:${await listen(index)}`);
