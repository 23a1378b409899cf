// Many clients of one relay, in a process of their own. Each connects and sends one message to another; the process
// says how many connected, and how many different messages came.
import { handshake, openTcp, type RawClient } from "./raw.ts";

const AT_ONCE = 100;
const [port = 0, count = 0] = process.argv.slice(2).map(Number);

const clients: RawClient[] = [];
let begun = 0;
async function connectSome(): Promise<void> {
  while (begun++ < count) {
    const client = await openTcp(port);
    client.write(handshake());
    const { status } = await client.answer();
    if (status !== 101) throw new Error(`Client ${begun} was answered ${status}`);
    clients.push(client);
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, connectSome));

// Which client has which id, nobody knows; but the ids are 1 to count, and each is written to once.
const arrived = Promise.all(clients.map((client) => client.next()));
for (const [index, client] of clients.entries()) client.text(`${index + 1}:message ${index}`);
const messages = new Set(await arrived);
console.log(JSON.stringify({ connected: clients.length, arrived: messages.size }));
for (const client of clients) client.reset();
