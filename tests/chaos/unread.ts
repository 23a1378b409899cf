// Many plain clients that read nothing, and some that write to them as fast as the relay takes it, until SIGTERM; then says how
// much that was. Arguments: the port, the id that the next client gets, how many read nothing, how many write, and a seed.
// Nobody else may connect until it says that it is connected: nobody tells the clients their ids.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { encodeFrame, OPCODES } from "../conformance/frames.ts";
import { handshake } from "../conformance/raw.ts";
import { Random } from "./random.ts";

const LEAST_BYTES = 1024;
const MOST_BYTES = 16_384;
const MESSAGES_A_WRITE = 8;
/** Made once and sent again and again: to make them costs more than to relay them. */
const FRAMES = 8000;
const SIGN_OF_LIFE_MS = 5000;
const AT_ONCE = 50;

const [port = 0, firstId = 0, receivers = 0, senders = 0, seed = 0] = process.argv.slice(2).map(Number);
const pong = encodeFrame({ opcode: OPCODES.pong });
let sentBytes = 0;
let closed = 0;

/** Connects, and reads no more than the answer to the handshake. */
async function open(): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  socket.on("close", () => closed++);
  await once(socket, "connect");
  socket.write(handshake());
  const [answer]: readonly unknown[] = await once(socket, "data");
  if (!String(answer).startsWith("HTTP/1.1 101 ")) throw new Error(`The handshake was answered ${answer}`);
  socket.pause();
  return socket;
}

async function openMany(count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, open))));
  }
  return sockets;
}

/** Messages to those who do not read, the first of them the most: those fill up early, the last hardly. */
function makeFrames(random: Random): Buffer[] {
  return Array.from({ length: FRAMES }, () => {
    const to = firstId - 1 + random.spread(1, receivers);
    const bytes = random.spread(LEAST_BYTES, MOST_BYTES);
    return encodeFrame({ opcode: OPCODES.text, payload: `${to}:${"x".repeat(bytes)}` });
  });
}

/** Writes without end. */
async function keepSending(socket: Socket, frames: readonly Buffer[], random: Random): Promise<void> {
  socket.resume();
  while (!socket.destroyed) {
    const first = random.below(FRAMES - MESSAGES_A_WRITE);
    const bytes = Buffer.concat(frames.slice(first, first + MESSAGES_A_WRITE));
    await new Promise<void>((resolve) => {
      socket.once("close", resolve);
      socket.write(bytes, () => {
        socket.off("close", resolve);
        resolve();
      });
    });
    sentBytes += bytes.length;
    // A write that is done at once leaves no turn to anything else, such as the signal to end.
    await new Promise(setImmediate);
  }
}

const frames = makeFrames(new Random(seed));
const readers = await openMany(receivers);
const writers = await openMany(senders);
setInterval(() => {
  for (const socket of readers) socket.write(pong);
}, SIGN_OF_LIFE_MS);
process.on("SIGTERM", () => {
  console.log(JSON.stringify({ sentMegabytes: Math.round(sentBytes / 1e6), closedByRelay: closed }));
  process.exit(0);
});
console.log("connected");
await Promise.all(writers.map((socket, index) => keepSending(socket, frames, new Random(seed + index + 1))));
