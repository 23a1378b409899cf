import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Closed } from "./client.ts";
import { closePayload, encodeFrame, FrameReader, OPCODES, type ReceivedFrame, type WireFrame } from "./frames.ts";
import { Inbox, within } from "./wait.ts";

const HEADERS = {
  Host: "relay.test",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

export interface HandshakeOptions {
  readonly method?: string;
  readonly path?: string;
  /** Added to those of a good handshake, or in place of one of them; `undefined` leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** The bytes of an opening handshake: a good one, but for what the options say. */
export function handshake({ method = "GET", path = "/ws", headers = {} }: HandshakeOptions = {}): string {
  const lines = Object.entries({ ...HEADERS, ...headers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** The head of an HTTP answer, and what came of its body with it. */
export interface Answer {
  readonly status: number;
  /** In lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * A TCP connection that speaks WebSocket by hand, for what no library would send. It answers nothing by itself: no
 * ping, no close.
 */
export class RawClient {
  /** Resolves when nothing more can come: the server has ended its half of the connection, or all of it. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #frames = new Inbox<ReceivedFrame>();
  readonly #answers = new Inbox<Answer>();
  #head: Buffer | undefined = Buffer.alloc(0);
  #body: Buffer = Buffer.alloc(0);
  #upgraded = false;
  #isGone = false;
  readonly #reader = new FrameReader();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.gone = new Promise((resolve) => {
      const end = (): void => {
        this.#isGone = true;
        this.#answers.end("the connection went away");
        this.#frames.end("the connection went away");
        resolve();
      };
      socket.once("end", end);
      socket.once("close", end);
    });
    // A reset is one way for a connection to go.
    socket.on("error", () => {});
    socket.on("data", (piece) => this.#read(piece));
  }

  /** Writes bytes as they are. */
  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends frames, in one write. */
  send(...frames: readonly WireFrame[]): void {
    this.#socket.write(Buffer.concat(frames.map(encodeFrame)));
  }

  text(payload: string): void {
    this.send({ opcode: OPCODES.text, payload });
  }

  /** Sends a text frame whose middle is not copied: its mask is 0, and its length is written as that of a large one. */
  largeText(opening: string, middle: Uint8Array, closing = ""): void {
    const head = Buffer.alloc(14);
    head[0] = 0x80 | OPCODES.text;
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(Buffer.byteLength(opening) + middle.length + Buffer.byteLength(closing)), 2);
    this.#socket.cork();
    this.#socket.write(Buffer.concat([head, Buffer.from(opening)]));
    this.#socket.write(middle);
    this.#socket.write(closing);
    this.#socket.uncork();
  }

  /** Sends a close frame and leaves the socket open. */
  sendClose(code = 1000): void {
    this.send({ opcode: OPCODES.close, payload: closePayload(code) });
  }

  /** Ends the connection the way a crashed machine's network does. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Reads nothing any more: what is sent fills the buffers. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The answer to the handshake. */
  answer(): Promise<Answer> {
    return this.#answers.next("the answer to the handshake");
  }

  /** The body of an answer that says how long it is. */
  async body({ headers }: Answer): Promise<string> {
    const length = Number(headers.get("content-length"));
    const whole = (): boolean => this.#body.length >= length;
    const coming = new Promise<void>((resolve) => {
      this.#socket.on("data", () => whole() && resolve());
      this.#socket.on("close", () => resolve());
    });
    if (!whole()) await within(coming, "the body of the answer");
    return this.#body.toString();
  }

  /** The next text or binary message, whole; control frames before it are left out. */
  async next(patienceMs?: number): Promise<string | Buffer> {
    const isData = ({ opcode }: ReceivedFrame): boolean => opcode < 8;
    const { opcode, payload } = await this.#frames.find(isData, "the next message", patienceMs);
    return opcode === OPCODES.text ? payload.toString() : payload;
  }

  /** The next frame with this opcode; others before it are left out. */
  frame(opcode: number): Promise<ReceivedFrame> {
    return this.#frames.find((frame) => frame.opcode === opcode, `a frame with opcode ${opcode}`);
  }

  /** The code of the close frame that comes, or 1006 when the connection goes without one. */
  async closeCode(): Promise<number> {
    return (await this.closed()).code;
  }

  /** The close frame that comes; its code is 1006 when the connection goes without one. */
  async closed(): Promise<Closed> {
    // Rejected at the end of the connection, behind all that came before it.
    const closed = await this.frame(OPCODES.close).catch(() => undefined);
    if (closed === undefined && !this.#isGone) throw new Error("Waited for a close frame, or the end");
    if (closed === undefined) return { code: 1006, reason: "" };
    const { payload } = closed;
    return { code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }

  #read(piece: Buffer): void {
    if (this.#upgraded) {
      for (const frame of this.#reader.read(piece)) this.#frames.push(frame);
    } else if (this.#head === undefined) {
      this.#body = Buffer.concat([this.#body, piece]);
    } else {
      this.#readHead(Buffer.concat([this.#head, piece]));
    }
  }

  #readHead(head: Buffer): void {
    this.#head = head;
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const answer = readAnswer(head.subarray(0, end).toString("latin1"));
    this.#answers.push(answer);
    this.#head = undefined;
    this.#upgraded = answer.status === 101;
    this.#read(head.subarray(end + 4));
  }
}

function readAnswer(head: string): Answer {
  const [first = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(" ")[1]), headers: new Map(headers) };
}

/** Opens a TCP connection and says nothing. When the server ends its half, the other half stays open. */
export async function openTcp(port: number): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  return new RawClient(socket);
}
