// Attacks a relay as fast as one core can, until SIGTERM; then prints counts. Arguments: the port, the attack's name.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { burst } from "../conformance/burst.ts";
import { encodeFrame, OPCODES } from "../conformance/frames.ts";
import { handshake, openTcp } from "../conformance/raw.ts";

const CONNECTIONS = 8;
const FRAGMENTS_PER_WRITE = 5000;
/** Stays below the 16,384 fragments at which `ws` closes with 1008. */
const WRITES_PER_MESSAGE = 3;
const MESSAGES_PER_WRITE = 1000;
/** Id that no client has. */
const NOBODY = "0";

const HANDSHAKES: readonly string[] = [
  handshake({ headers: { "Sec-WebSocket-Key": "bad" } }),
  handshake({ headers: { "Sec-WebSocket-Key": undefined } }),
  handshake({ headers: { "Sec-WebSocket-Version": "12" } }),
  handshake({ headers: { "Sec-WebSocket-Protocol": "x y" } }),
  handshake({ headers: { Upgrade: undefined, Connection: "close" } }),
  handshake({ method: "POST", headers: { "Content-Length": "0" } }),
  handshake({ path: "/nowhere" }),
  handshake({ path: "//" }),
];

const counts = { handshakes: 0, connections: 0, closedByRelay: 0, megabytes: 0 };

const ATTACKS: Readonly<Record<string, (port: number) => Promise<void>>> = {
  /** Sends invalid handshakes, 32 at a time. */
  handshakes: async (port) => {
    for (;;) {
      for (const bytes of HANDSHAKES) {
        await burst(port, bytes, 100);
        counts.handshakes += 100;
      }
    }
  },
  /** Sends messages in fragments of one byte or none. */
  fragments: async (port) => {
    const first = encodeFrame({ opcode: OPCODES.text, payload: `${NOBODY}:`, fin: false });
    const pieces = Array.from({ length: FRAGMENTS_PER_WRITE }, (_, index) =>
      encodeFrame({ opcode: OPCODES.continuation, payload: index % 2 === 0 ? "x" : "", fin: false }),
    );
    const last = encodeFrame({ opcode: OPCODES.continuation });
    const middle = Buffer.concat(pieces);
    await keepWriting(port, [first, ...Array.from({ length: WRITES_PER_MESSAGE }, () => middle), last]);
  },
  /** Sends small messages without pause, and reads the answers. */
  flood: async (port) => {
    const message = encodeFrame({ opcode: OPCODES.text, payload: `${NOBODY}:x` });
    await keepWriting(port, [Buffer.concat(Array.from({ length: MESSAGES_PER_WRITE }, () => message))]);
  },
};

/** Opens connections that write the pieces again and again, as fast as the relay reads. Replaces closed connections. */
async function keepWriting(port: number, writes: readonly Buffer[]): Promise<void> {
  const one = async (): Promise<void> => {
    for (;;) {
      const socket = await open(port);
      while (socket.writable) {
        for (const bytes of writes) await write(socket, bytes);
        // A write that completes at once leaves the event loop no time for anything else, such as SIGTERM.
        await new Promise(setImmediate);
      }
      counts.closedByRelay++;
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  counts.connections++;
  socket.write(handshake());
  socket.resume();
  return socket;
}

/** Writes the bytes. Resolves when the operating system has accepted them, or the connection has ended. */
async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (!socket.writable) return;
  counts.megabytes += bytes.length / 1e6;
  await new Promise<void>((resolve) => {
    socket.once("close", resolve);
    socket.write(bytes, () => {
      socket.off("close", resolve);
      resolve();
    });
  });
}

const [port = "", kind = ""] = process.argv.slice(2);
const attack = ATTACKS[kind];
if (attack === undefined) throw new Error(`Cannot attack: there is no attack "${kind}"`);
process.on("SIGTERM", () => {
  console.log(JSON.stringify({ ...counts, megabytes: Math.round(counts.megabytes) }));
  process.exit(0);
});
(await openTcp(Number(port))).reset();
console.log("attacking");
await attack(Number(port));
