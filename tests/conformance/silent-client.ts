// Connects to the relay on each given port, where it must be the third client. Prints "ready" when each has relayed a
// message, and answers pings from then on. It is a process of its own so that a test can suspend it.
import { once } from "node:events";
import { WebSocket } from "ws";

for (const port of process.argv.slice(2)) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await once(ws, "open");
  ws.send("3:my id");
  const [message]: readonly unknown[] = await once(ws, "message");
  if (String(message) !== "my id") throw new Error(`Cannot be client 3 on port ${port}: received ${message}`);
}
console.log("ready");
