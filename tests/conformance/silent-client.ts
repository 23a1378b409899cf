// A client process of its own, so that a test can stop it as a whole. Connects to each port it is given as the third
// client, makes sure that the relay knows it, says "ready", and answers pings for as long as it runs.
import { once } from "node:events";
import { WebSocket } from "ws";

for (const port of process.argv.slice(2)) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await once(ws, "open");
  ws.send("3:my id");
  const [message]: readonly unknown[] = await once(ws, "message");
  if (String(message) !== "my id") throw new Error(`Cannot be client 3 of ${port}: received ${message}`);
}
console.log("ready");
