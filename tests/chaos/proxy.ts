import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Runs `onZero` after this many more bytes on a wire, in both directions together. */
interface Countdown {
  bytes: number;
  onZero: () => void;
}

/** Bytes, the end of the stream, or its end by a reset. */
type Piece = Buffer | "end" | "reset";

/** One direction of a wire. */
export class Direction {
  readonly #to: Socket;
  readonly #countdown: Countdown;
  /** Pieces that arrived during a stall; `undefined` outside of one. */
  #held: Piece[] | undefined;
  #hasEnded = false;

  constructor(from: Socket, to: Socket, countdown: Countdown) {
    this.#to = to;
    this.#countdown = countdown;
    from.on("data", (piece) => this.#take(piece));
    from.on("end", () => this.#take("end"));
    from.on("error", () => this.#take("reset"));
  }

  /** Forwards nothing until `resume`, and holds what arrives, as a network that may deliver it later. */
  stall(): void {
    this.#held ??= [];
  }

  /** Forwards what was held, and everything after it. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const piece of held) this.#take(piece);
  }

  /** Ends the stream for the receiver. Bytes that still arrive are lost. */
  end(): void {
    this.#hasEnded = true;
    this.#to.end();
  }

  #take(piece: Piece): void {
    if (this.#held !== undefined) {
      this.#held.push(piece);
    } else if (this.#hasEnded || this.#to.destroyed) {
      return;
    } else if (piece === "reset") {
      this.#to.resetAndDestroy();
    } else if (piece === "end") {
      this.end();
    } else {
      const start = piece.subarray(0, this.#countdown.bytes);
      this.#to.write(start);
      this.#countdown.bytes -= start.length;
      if (this.#countdown.bytes === 0) this.#countdown.onZero();
      if (start.length < piece.length) this.#take(piece.subarray(start.length));
    }
  }
}

/** Connection of a client to the relay through the proxy. */
export class Wire {
  readonly up: Direction;
  readonly down: Direction;
  readonly #client: Socket;
  readonly #relay: Socket;
  readonly #countdown: Countdown = { bytes: Number.POSITIVE_INFINITY, onZero: () => {} };

  constructor(client: Socket, relay: Socket) {
    this.#client = client;
    this.#relay = relay;
    this.up = new Direction(client, relay, this.#countdown);
    this.down = new Direction(relay, client, this.#countdown);
  }

  /** Runs the action once, after exactly this many more bytes, which may be inside a frame. */
  after(bytes: number, action: () => void): void {
    this.#countdown.bytes = bytes;
    this.#countdown.onZero = () => {
      this.#countdown.bytes = Number.POSITIVE_INFINITY;
      action();
    };
  }

  /** Stalls both directions, as a network that is gone: neither end learns of it. */
  blackhole(): void {
    this.up.stall();
    this.down.stall();
  }

  /** Ends the stall of both directions: held bytes arrive. */
  restore(): void {
    this.up.resume();
    this.down.resume();
  }

  /** Closes TCP at both ends. */
  cut(): void {
    this.#client.destroy();
    this.#relay.destroy();
  }

  /** Resets TCP at both ends. */
  reset(): void {
    this.resetClient();
    this.resetRelay();
  }

  /** Resets TCP at the client's end. The relay learns of that unless the wire stalls. */
  resetClient(): void {
    this.#client.resetAndDestroy();
  }

  /** Resets TCP at the relay's end. */
  resetRelay(): void {
    this.#relay.resetAndDestroy();
  }
}

/** TCP proxy before the relay. It forwards everything until a test changes one of its wires. */
export class ChaosProxy {
  /** Port for clients. */
  readonly port: number;
  /** Open wires, in the order of connecting. */
  readonly wires = new Set<Wire>();
  readonly #server: Server;

  constructor(server: Server, relayPort: number, onWire: (wire: Wire) => void) {
    this.#server = server;
    // True of a server that listens on TCP.
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client: Socket) => {
      const relay = connect({ port: relayPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      const wire = new Wire(client, relay);
      this.wires.add(wire);
      const onClose = (): void => {
        if (client.destroyed && relay.destroyed) this.wires.delete(wire);
      };
      client.on("close", onClose);
      relay.on("close", onClose);
      onWire(wire);
    });
  }

  /** Latest open wire. @throws {Error} When there is none. */
  get wire(): Wire {
    const wire = [...this.wires].at(-1);
    if (wire === undefined) throw new Error("Cannot find a wire: no client is connected through the proxy");
    return wire;
  }

  /** Accepts no more connections, and cuts the open ones. */
  close(): void {
    this.#server.close();
    for (const wire of this.wires) wire.cut();
  }
}

/** Starts a proxy. @param onWire Receives each new wire before any byte has passed. */
export async function openProxy(relayPort: number, onWire: (wire: Wire) => void = () => {}): Promise<ChaosProxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new ChaosProxy(server, relayPort, onWire);
}
