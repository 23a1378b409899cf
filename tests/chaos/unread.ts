// Many plain clients that read nothing, and some that write to them as fast as the relay takes it, until SIGTERM; then says how
// much that was. Arguments: the port, how many read nothing, how many write, and a seed. The readers must be the first to
// connect after client 1: nobody tells them their ids.

import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { encodeFrame, OPCODES } from "../conformance/frames.ts";
import { handshake } from "../conformance/raw.ts";
import { Random } from "./random.ts";

const FIRST_ID = 2;
const LEAST_BYTES = 1024;
const MOST_BYTES = 16_384;
const MESSAGES_A_WRITE = 8;
const SIGN_OF_LIFE_MS = 5000;
const AT_ONCE = 50;

const [port = 0, receivers = 0, senders = 0, seed = 0] = process.argv.slice(2).map(Number);
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

/** Writes to the readers without end, the first of them the most: those fill up early, the last hardly. */
async function keepSending(socket: Socket, random: Random): Promise<void> {
  socket.resume();
  while (!socket.destroyed) {
    const frames = Array.from({ length: MESSAGES_A_WRITE }, () => {
      const to = FIRST_ID - 1 + random.spread(1, receivers);
      return encodeFrame({
        opcode: OPCODES.text,
        payload: `${to}:${"x".repeat(random.spread(LEAST_BYTES, MOST_BYTES))}`,
      });
    });
    const bytes = Buffer.concat(frames);
    await new Promise<void>((resolve) => {
      socket.once("close", resolve);
      socket.write(bytes, () => {
        socket.off("close", resolve);
        resolve();
      });
    });
    sentBytes += bytes.length;
  }
}

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
await Promise.all(writers.map((socket, index) => keepSending(socket, new Random(seed + index))));
