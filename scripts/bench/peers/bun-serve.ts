/// <reference types="bun" />
import type { ServerWebSocket } from "bun";

interface Data {
  id: string;
}

const clients = new Map<string, ServerWebSocket<Data>>();
let lastId = 0;

const server = Bun.serve<Data>({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, server) {
    if (server.upgrade(request, { data: { id: String(++lastId) } })) return undefined;
    return new Response("expected a WebSocket", { status: 426 });
  },
  websocket: {
    // Bun pings by itself, and drops a client that is silent for this many seconds: three beats of the relay.
    idleTimeout: 15,
    open(ws) {
      clients.set(ws.data.id, ws);
    },
    message(ws, message) {
      if (typeof message !== "string") {
        const colon = message.indexOf(0x3a);
        clients.get(message.toString("latin1", 0, colon))?.send(message.subarray(colon + 1));
        return;
      }
      const text = message.toString();
      const colon = text.indexOf(":");
      const to = text.slice(0, colon);
      const target = clients.get(to);
      if (target) {
        target.send(text.slice(colon + 1));
      } else if (to === "#lobby") {
        ws.publish("lobby", text.slice(colon + 1));
      } else if (to === "join") {
        ws.subscribe("lobby");
        ws.send("joined");
      } else ws.send("no such id");
    },
    close(ws) {
      clients.delete(ws.data.id);
    },
  },
});

console.log(`listening on http://127.0.0.1:${server.port}`);
