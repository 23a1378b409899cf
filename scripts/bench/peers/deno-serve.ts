/// <reference types="deno" />
const clients = new Map<string, WebSocket>();
/** Members of the room that the publish load uses. */
const lobby = new Set<WebSocket>();
let lastId = 0;

Deno.serve(
  {
    hostname: "127.0.0.1",
    port: Number(Deno.env.get("PORT")),
    onListen: ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
  },
  (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response("expected a WebSocket", { status: 426 });
    // Deno pings by itself, and drops a client that is silent for this many seconds: three beats of the relay.
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 15 });
    const id = String(++lastId);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => clients.set(id, socket);
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        const bytes = new Uint8Array(data);
        const colon = bytes.indexOf(0x3a);
        clients.get(String.fromCharCode(...bytes.subarray(0, colon)))?.send(bytes.subarray(colon + 1));
        return;
      }
      const text = String(data);
      const colon = text.indexOf(":");
      const to = text.slice(0, colon);
      const target = clients.get(to);
      if (target?.readyState === WebSocket.OPEN) {
        target.send(text.slice(colon + 1));
      } else if (to === "#lobby") {
        const message = text.slice(colon + 1);
        for (const member of lobby) {
          if (member !== socket && member.readyState === WebSocket.OPEN) member.send(message);
        }
      } else if (to === "join") {
        lobby.add(socket);
        socket.send("joined");
      } else socket.send("no such id");
    };
    socket.onclose = () => {
      clients.delete(id);
      lobby.delete(socket);
    };
    return response;
  },
);
