import { createServer } from "node:http";
import { Server } from "socket.io";

const { RELAY_RESUME_MS } = process.env;
const server = createServer();
const io = new Server(server, {
  transports: ["websocket"],
  serveClient: false,
  // Drop a dead client after 15 s, as the relay does; the defaults are 25 s and 20 s.
  pingInterval: 5000,
  pingTimeout: 10_000,
  // The default is 1 MB, less than the largest messages of the benchmark.
  maxHttpBufferSize: 2_000_000,
  // With it, each message has an offset more, so only where clients come back.
  ...(RELAY_RESUME_MS === undefined
    ? {}
    : { connectionStateRecovery: { maxDisconnectionDuration: Number(RELAY_RESUME_MS) } }),
});

io.on("connection", (socket) => {
  socket.join(socket.handshake.query.id);
  socket.on("message", (to, message) => {
    io.to(to).emit("message", message);
  });
  socket.on("join", (room) => {
    socket.join(room);
    socket.emit("joined", room);
  });
  socket.on("publish", (room, message) => {
    socket.to(room).emit("message", message);
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
