// Connects many clients to one relay, in a process of their own. Each client sends one message to another. Prints how
// many clients connected, and how many different messages arrived.
import { handshake, openTcp, type RawClient } from "./raw.ts";

const CONCURRENT = 100;
const [port = 0, count = 0] = process.argv.slice(2).map(Number);

const clients: RawClient[] = [];
let started = 0;
async function connectSome(): Promise<void> {
  while (started++ < count) {
    const client = await openTcp(port);
    client.write(handshake());
    const { status } = await client.answer();
    if (status !== 101) throw new Error(`Client ${started} was answered ${status}`);
    clients.push(client);
  }
}
await Promise.all(Array.from({ length: CONCURRENT }, connectSome));

// A plain client doesn't know its id. But the ids are 1 to `count`, and each gets one message.
const arrived = Promise.all(clients.map((client) => client.next()));
for (const [index, client] of clients.entries()) client.text(`${index + 1}:message ${index}`);
const messages = new Set(await arrived);
console.log(JSON.stringify({ connected: clients.length, arrived: messages.size }));
for (const client of clients) client.reset();
