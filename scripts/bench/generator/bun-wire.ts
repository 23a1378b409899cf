/// <reference types="bun" />
import type { Socket } from "bun";
import type { Connect, Wire, WireUser } from "./wire.ts";

/** A wire over Bun.connect. It costs what node:net costs; that both generators see the same is the point of having two. */
class BunWire implements Wire {
  readonly user: WireUser;
  socket: Socket<BunWire> | undefined = undefined;
  #waiting: Uint8Array[] = [];

  constructor(user: WireUser) {
    this.user = user;
  }

  write(bytes: Uint8Array): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(bytes.slice());
      return;
    }
    const written = this.socket?.write(bytes) ?? -1;
    if (written >= 0 && written < bytes.length) this.#waiting.push(bytes.slice(written));
  }

  drained(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) this.write(bytes);
  }

  end(): void {
    this.socket?.terminate();
  }
}

const handlers = {
  open(socket: Socket<BunWire>) {
    socket.data.socket = socket;
    socket.setNoDelay(true);
    socket.data.user.opened(socket.data);
  },
  data(socket: Socket<BunWire>, chunk: Uint8Array) {
    socket.data.user.data(chunk, chunk.length);
  },
  drain(socket: Socket<BunWire>) {
    socket.data.drained();
  },
  close(socket: Socket<BunWire>) {
    socket.data.user.closed("the server closed the connection");
  },
  connectError(socket: Socket<BunWire>, error: Error) {
    socket.data.user.closed(error.message);
  },
};

/** A wire over Bun.connect; runs on Bun only. */
export const connectBun: Connect = (port, user) => {
  // A connection that cannot be opened is reported by connectError.
  Bun.connect({ hostname: "127.0.0.1", port, data: new BunWire(user), socket: handlers }).catch(() => {});
};
