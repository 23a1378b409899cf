import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** How many bytes a wire still carries, both ways together, until something is due. */
interface Budget {
  bytes: number;
  due: () => void;
}

/** Bytes, the end of the stream, or its end by a reset. */
type Piece = Buffer | "end" | "reset";

/** What comes from one end of a wire and goes to the other. */
export class Direction {
  readonly #to: Socket;
  readonly #budget: Budget;
  /** What waits while nothing is let through. */
  #held: Piece[] | undefined;
  #ended = false;

  constructor(from: Socket, to: Socket, budget: Budget) {
    this.#to = to;
    this.#budget = budget;
    from.on("data", (piece) => this.#take(piece));
    from.on("end", () => this.#take("end"));
    from.on("error", () => this.#take("reset"));
  }

  /** Lets nothing through, and keeps what comes, as a network that may yet deliver it. Nobody is told. */
  stall(): void {
    this.#held ??= [];
  }

  /** Delivers what was kept, and lets all through again. */
  go(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const piece of held) this.#take(piece);
  }

  /** Tells the receiver that no more comes. What comes all the same is lost. */
  end(): void {
    this.#ended = true;
    this.#to.end();
  }

  #take(piece: Piece): void {
    if (this.#held !== undefined) {
      this.#held.push(piece);
    } else if (this.#ended || this.#to.destroyed) {
      return;
    } else if (piece === "reset") {
      this.#to.resetAndDestroy();
    } else if (piece === "end") {
      this.end();
    } else {
      const now = piece.subarray(0, this.#budget.bytes);
      this.#to.write(now);
      this.#budget.bytes -= now.length;
      if (this.#budget.bytes === 0) this.#budget.due();
      if (now.length < piece.length) this.#take(piece.subarray(now.length));
    }
  }
}

/** One connection of a client to the relay, through the proxy. */
export class Wire {
  readonly up: Direction;
  readonly down: Direction;
  readonly #client: Socket;
  readonly #relay: Socket;
  readonly #budget: Budget = { bytes: Number.POSITIVE_INFINITY, due: () => {} };

  constructor(client: Socket, relay: Socket) {
    this.#client = client;
    this.#relay = relay;
    this.up = new Direction(client, relay, this.#budget);
    this.down = new Direction(relay, client, this.#budget);
  }

  /** Does it, once, when so many more bytes have passed: inside a frame, where they end there. */
  after(bytes: number, action: () => void): void {
    this.#budget.bytes = bytes;
    this.#budget.due = () => {
      this.#budget.bytes = Number.POSITIVE_INFINITY;
      action();
    };
  }

  /** The network is gone: nothing passes, and neither end is told of anything. */
  vanish(): void {
    this.up.stall();
    this.down.stall();
  }

  /** The network is back: what was on its way arrives. */
  comeBack(): void {
    this.up.go();
    this.down.go();
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

  /** Resets TCP at the client's end; the relay is told where the wire still carries that. */
  resetClient(): void {
    this.#client.resetAndDestroy();
  }

  /** Resets TCP at the relay's end. */
  resetRelay(): void {
    this.#relay.resetAndDestroy();
  }
}

/** A TCP proxy before the relay. It forwards all that comes, until its wires are told otherwise. */
export class ChaosProxy {
  /** Where clients connect. */
  readonly port: number;
  /** Those that are open, in order of connecting. */
  readonly wires = new Set<Wire>();
  readonly #server: Server;

  constructor(server: Server, relayPort: number, opened: (wire: Wire) => void) {
    this.#server = server;
    // A server that listens on TCP has such an address.
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client: Socket) => {
      const relay = connect({ port: relayPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      const wire = new Wire(client, relay);
      this.wires.add(wire);
      const closed = (): void => {
        if (client.destroyed && relay.destroyed) this.wires.delete(wire);
      };
      client.on("close", closed);
      relay.on("close", closed);
      opened(wire);
    });
  }

  /** The latest that is open. @throws {Error} When there is none. */
  get wire(): Wire {
    const wire = [...this.wires].at(-1);
    if (wire === undefined) throw new Error("Nobody is connected through the proxy");
    return wire;
  }

  /** Takes no more connections, and cuts those that are there. */
  close(): void {
    this.#server.close();
    for (const wire of this.wires) wire.cut();
  }
}

/** Starts a proxy. @param opened Is given each new wire before anything has passed. */
export async function openProxy(relayPort: number, opened: (wire: Wire) => void = () => {}): Promise<ChaosProxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new ChaosProxy(server, relayPort, opened);
}
