import { createConnection, type Socket } from "node:net";
import type { Connect, Wire } from "./wire.ts";

const READ_BYTES = 262_144;

/** Buffer for the reads of all connections: each read is scanned before the next one. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

class NetWire implements Wire {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes.slice());
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Connects a wire over node:net; runs on Node and on Bun. */
export const connectNet: Connect = (port, user) => {
  let reason = "the server closed the connection";
  const socket = createConnection({
    host: "127.0.0.1",
    port,
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length, buffer) => {
        user.onData(buffer, length);
        return true;
      },
    },
  });
  socket.on("connect", () => user.onOpen(new NetWire(socket)));
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.on("close", () => user.onClose(reason));
};
