import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer();
const wss = new WebSocketServer({ server });
const clients = new Map();
/** Members of the room that the publish load uses. */
const lobby = new Set();
let lastId = 0;

wss.on("connection", (ws) => {
  const id = String(++lastId);
  clients.set(id, ws);
  ws.isAlive = true;
  ws.on("pong", () => {
    ws.isAlive = true;
  });
  ws.on("message", (data, isBinary) => {
    if (isBinary) {
      const colon = data.indexOf(0x3a);
      clients.get(data.latin1Slice(0, colon))?.send(data.subarray(colon + 1));
      return;
    }
    const text = data.toString();
    const colon = text.indexOf(":");
    const to = text.slice(0, colon);
    const target = clients.get(to);
    if (target) {
      target.send(text.slice(colon + 1));
    } else if (to === "#lobby") {
      const message = text.slice(colon + 1);
      for (const member of lobby) if (member !== ws) member.send(message);
    } else if (to === "join") {
      lobby.add(ws);
      ws.send("joined");
    } else ws.send("no such id");
  });
  ws.on("error", () => {});
  ws.on("close", () => {
    clients.delete(id);
    lobby.delete(ws);
  });
});

setInterval(() => {
  for (const ws of wss.clients) {
    if (!ws.isAlive) {
      ws.terminate();
      continue;
    }
    ws.isAlive = false;
    ws.ping();
  }
}, 5000);

server.listen(Number(process.env.PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
