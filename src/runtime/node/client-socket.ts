import type { Socket } from "node:net";
import type { Link } from "../../core/link/link.ts";
import type { Open } from "../../http/runtime.ts";
import { NodeConnection } from "./connection.ts";
import { type Closing, closeFrame, pongFrame } from "./control-frames.ts";
import { FairReader } from "./fair-reader.ts";
import type { RelaySocket } from "./socket.ts";

/** Settings and functions that the sockets of a server share. */
export interface SocketContext {
  readonly maxMessageBytes: number;
  /**
   * Gives `ws` a socket whose handshake the relay has answered itself.
   *
   * @returns `undefined` where the client is gone.
   */
  startWs(socket: Socket): WsReading | undefined;
}

/** A socket of `ws`, and the listener with which it reads. The listener has been removed from the socket. */
export interface WsReading {
  readonly ws: RelaySocket;
  readonly listener: (bytes: Buffer) => void;
}

/**
 * The socket of one client over node:http, from its handshake on.
 *
 * Most clients need nothing of `ws`: the relay reads their frames, and answers their pings and their close frame. Only
 * for the first frame that the relay does not read, `ws` gets the socket, and handles the close from then on. Where
 * `ws` has answered the handshake, it has the socket from the start.
 */
export class ClientSocket {
  /** Set when the socket is open. */
  link: Link | undefined = undefined;
  readonly #socket: Socket;
  readonly #context: SocketContext;
  readonly #reader: FairReader;
  #ws: RelaySocket | undefined = undefined;
  /** The listener with which `ws` reads the socket. */
  #wsListener: ((bytes: Buffer) => void) | undefined = undefined;
  #hasSentClose = false;
  /** Payload of the latest ping that has no pong yet. */
  #ping: Buffer | undefined = undefined;
  #isSendingPong = false;
  readonly #read = (piece: Buffer): void => this.#reader.read(piece);

  constructor(socket: Socket, context: SocketContext) {
    this.#socket = socket;
    this.#context = context;
    this.#reader = new FairReader(this, context.maxMessageBytes);
  }

  /** Answers the handshake with the response, and opens the relay's end of the connection. */
  answer(response: string, head: Buffer, open: Open): void {
    const socket = this.#socket;
    const connection = new NodeConnection(this, socket, this.#reader);
    connection.beginWith(response);
    this.link = open(connection);
    // The welcome leaves in one write with the response.
    this.link.flush();
    connection.writeResponse();
    // Clears the timeout of the server for a connection without a request.
    socket.setTimeout(0);
    socket.setNoDelay();
    socket.on("data", this.#read);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    if (head.length > 0) this.#read(head);
  }

  /** Opens the relay's end of a connection whose handshake `ws` has answered. */
  open(reading: WsReading, open: Open): void {
    this.#useWs(reading);
    this.link = open(new NodeConnection(this, this.#socket, this.#reader));
    this.#socket.prependListener("close", this.#onClose);
  }

  /** Whether `ws` has the socket. */
  get isOfWs(): boolean {
    return this.#ws !== undefined;
  }

  /** Has `ws` read the bytes. */
  passToWs(bytes: Buffer): void {
    if (this.#ws === undefined) {
      if (this.#hasSentClose) {
        // Whatever the client sends, it has all that it gets.
        this.#socket.end();
        return;
      }
      this.#socket.off("data", this.#read);
      const reading = this.#context.startWs(this.#socket);
      if (reading === undefined) return;
      this.#useWs(reading);
    }
    this.#wsListener?.call(this.#socket, bytes);
  }

  /**
   * Answers the latest of the pings that came in one piece, or while a pong was being sent (RFC 6455 §5.5.3 allows to
   * answer only the latest). So a client that sends pings and does not read has one pong queued, not one for each ping.
   */
  answerPing(payload: Buffer): void {
    // A copy: the payload is a slice that would keep its whole piece in memory.
    this.#ping = Buffer.from(payload);
    if (this.#isSendingPong) return;
    this.#isSendingPong = true;
    queueMicrotask(() => this.#sendPong());
  }

  #sendPong(): void {
    const ping = this.#ping;
    const maySend = ping !== undefined && this.#isOpen;
    this.#ping = undefined;
    this.#isSendingPong = maySend;
    if (maySend) this.#socket.write(pongFrame(ping), () => this.#sendPong());
  }

  /** Whether frames may still be sent. */
  get #isOpen(): boolean {
    const ws = this.#ws;
    return this.#socket.writable && !this.#hasSentClose && (ws === undefined || ws.readyState === ws.OPEN);
  }

  /** Answers the client's close frame, and ignores what follows. */
  answerClose(closing: Closing): void {
    this.#reader.stop();
    if (!this.#hasSentClose) this.#socket.write(closeFrame(closing));
    this.#hasSentClose = true;
    this.#socket.end();
    this.link?.onPeerClosing(closing.code, closing.reason);
  }

  close(code: number, reason: string): void {
    if (this.#ws !== undefined) this.#ws.close(code, reason);
    else if (!this.#hasSentClose && this.#socket.writable) this.#socket.write(closeFrame({ code, reason }));
    this.#hasSentClose = true;
  }

  terminate(): void {
    if (this.#ws === undefined) this.#socket.destroy();
    else this.#ws.terminate();
  }

  /** Reads no more until `resume`. */
  pause(): void {
    (this.#ws ?? this.#socket).pause();
  }

  resume(): void {
    (this.#ws ?? this.#socket).resume();
  }

  /** Reads the socket before `ws` does, which gets only what the relay passes on. */
  #useWs({ ws, listener }: WsReading): void {
    ws.client = this;
    this.#ws = ws;
    this.#wsListener = listener;
    // In place of the listener of `ws`: Node copies a list of two listeners for each piece. With the property
    // `listener`, `ws` can still remove its own one.
    this.#socket.on(
      "data",
      Object.assign((piece: Buffer) => this.#read(piece), { listener }),
    );
  }

  readonly #onEnd = (): void => {
    if (this.#ws === undefined) this.#socket.end();
  };

  readonly #onClose = (): void => {
    const socket = this.#socket;
    // A reset socket that was paused has bytes left that nobody read. `ws` would read them when the socket closes, but
    // does not know the frame that they may be the rest of.
    const rest: Buffer | null = socket.readableLength > 0 ? socket.read(socket.readableLength) : null;
    if (rest !== null) this.#reader.read(rest);
    if (this.#ws === undefined) this.link?.onSocketGone(1006, "");
  };
}
