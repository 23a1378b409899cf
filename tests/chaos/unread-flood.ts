// Connects many plain clients that read nothing, and some that send to them as fast as the relay accepts, until
// SIGTERM; then prints counts. Arguments: the port, the id of the next client, the count of receivers, the count of
// senders, a seed. No other client may connect before the line "connected": ids of plain clients are known by counting.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { encodeFrame, OPCODES } from "../conformance/frames.ts";
import { handshake } from "../conformance/raw.ts";
import { Random } from "./random.ts";

const MIN_BYTES = 1024;
const MAX_BYTES = 16_384;
const MESSAGES_PER_WRITE = 8;
/** Frames are encoded once and sent again and again: encoding one costs more than relaying it. */
const FRAMES = 8000;
const SIGN_OF_LIFE_MS = 5000;
const CONCURRENT = 50;

const [port = 0, firstId = 0, receivers = 0, senders = 0, seed = 0] = process.argv.slice(2).map(Number);
const pong = encodeFrame({ opcode: OPCODES.pong });
let sentBytes = 0;
let closed = 0;

/** Connects, and reads only the answer to the handshake. */
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
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(CONCURRENT, count - sockets.length) }, open))));
  }
  return sockets;
}

/** Encodes messages to the receivers. The first receivers get the most, so that their buffers fill up first. */
function makeFrames(random: Random): Buffer[] {
  return Array.from({ length: FRAMES }, () => {
    const to = firstId - 1 + random.spread(1, receivers);
    const bytes = random.spread(MIN_BYTES, MAX_BYTES);
    return encodeFrame({ opcode: OPCODES.text, payload: `${to}:${"x".repeat(bytes)}` });
  });
}

/** Sends random frames until the connection ends. */
async function keepSending(socket: Socket, frames: readonly Buffer[], random: Random): Promise<void> {
  socket.resume();
  while (!socket.destroyed) {
    const first = random.below(FRAMES - MESSAGES_PER_WRITE);
    const bytes = Buffer.concat(frames.slice(first, first + MESSAGES_PER_WRITE));
    await new Promise<void>((resolve) => {
      socket.once("close", resolve);
      socket.write(bytes, () => {
        socket.off("close", resolve);
        resolve();
      });
    });
    sentBytes += bytes.length;
    // A write that completes at once leaves the event loop no time for anything else, such as SIGTERM.
    await new Promise(setImmediate);
  }
}

const frames = makeFrames(new Random(seed));
const receiverSockets = await openMany(receivers);
const senderSockets = await openMany(senders);
setInterval(() => {
  for (const socket of receiverSockets) socket.write(pong);
}, SIGN_OF_LIFE_MS);
process.on("SIGTERM", () => {
  console.log(JSON.stringify({ sentMegabytes: Math.round(sentBytes / 1e6), closedByRelay: closed }));
  process.exit(0);
});
console.log("connected");
await Promise.all(senderSockets.map((socket, index) => keepSending(socket, frames, new Random(seed + index + 1))));
