/// <reference types="deno" />
const clients = new Map<string, WebSocket>();
let lastId = 0;

Deno.serve(
  {
    hostname: "127.0.0.1",
    port: Number(Deno.env.get("PORT")),
    onListen: ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
  },
  (request) => {
    if (request.headers.get("upgrade") !== "websocket") return new Response("expected a WebSocket", { status: 426 });
    // Deno pings by itself and drops who is silent for so many seconds: the relay's promise of three beats of 5 s.
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 15 });
    const id = String(++lastId);
    socket.onopen = () => clients.set(id, socket);
    socket.onmessage = ({ data }) => {
      const text = String(data);
      const colon = text.indexOf(":");
      const target = clients.get(text.slice(0, colon));
      if (target?.readyState === WebSocket.OPEN) target.send(text.slice(colon + 1));
      else socket.send("no such id");
    };
    socket.onclose = () => clients.delete(id);
    return response;
  },
);
