import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { CloseInfo } from "./client.ts";
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
  /** Headers to add or to replace; `undefined` removes one. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** Returns an opening handshake, valid apart from the options. */
export function handshake({ method = "GET", path = "/ws", headers = {} }: HandshakeOptions = {}): string {
  const lines = Object.entries({ ...HEADERS, ...headers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** Status and headers of an HTTP answer. */
export interface Answer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * TCP connection on which a test writes WebSocket bytes itself, to send what no library would. It answers nothing by
 * itself: no ping, no close frame.
 */
export class RawClient {
  /** Resolves when the server has ended its half of the connection, or all of it. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #frames = new Inbox<ReceivedFrame>();
  readonly #answers = new Inbox<Answer>();
  #head: Buffer | undefined = Buffer.alloc(0);
  #body: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #isGone = false;
  readonly #reader = new FrameReader();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.gone = new Promise((resolve) => {
      const onEnd = (): void => {
        this.#isGone = true;
        this.#answers.end("the connection has ended");
        this.#frames.end("the connection has ended");
        resolve();
      };
      socket.once("end", onEnd);
      socket.once("close", onEnd);
    });
    // A reset by the server is an expected end.
    socket.on("error", () => {});
    socket.on("data", (piece) => this.#read(piece));
  }

  /** Writes bytes, without a frame around them. */
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

  /** Sends a text frame without copying its middle: the mask is 0, and the length takes 8 bytes whatever it is. */
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

  /** Sends a close frame, and leaves the socket open. */
  sendClose(code = 1000): void {
    this.send({ opcode: OPCODES.close, payload: closePayload(code) });
  }

  /** Resets the TCP connection, as happens after a crash. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, so that sent bytes fill the buffers. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Waits for the answer to the handshake. */
  answer(): Promise<Answer> {
    return this.#answers.next("the answer to the handshake");
  }

  /** Waits for the body of an answer with a Content-Length. */
  async body({ headers }: Answer): Promise<string> {
    const length = Number(headers.get("content-length"));
    const isComplete = (): boolean => this.#body.length >= length;
    const completed = new Promise<void>((resolve) => {
      this.#socket.on("data", () => isComplete() && resolve());
      this.#socket.on("close", () => resolve());
    });
    if (!isComplete()) await within(completed, "the body of the answer");
    return this.#body.toString();
  }

  /** Takes the next text or binary frame, and skips control frames before it. */
  async next(patienceMs?: number): Promise<string | Buffer> {
    const isData = ({ opcode }: ReceivedFrame): boolean => opcode < 8;
    const { opcode, payload } = await this.#frames.find(isData, "the next message", patienceMs);
    return opcode === OPCODES.text ? payload.toString() : payload;
  }

  /** Takes the next frame with this opcode, and skips others before it. */
  frame(opcode: number): Promise<ReceivedFrame> {
    return this.#frames.find((frame) => frame.opcode === opcode, `a frame with opcode ${opcode}`);
  }

  /** Waits for the close frame. @returns Its code, or 1006 when the connection ends without one. */
  async closeCode(): Promise<number> {
    return (await this.closeFrame()).code;
  }

  /** Waits for the close frame. @returns Its code and reason; the code is 1006 when the connection ends without one. */
  async closeFrame(): Promise<CloseInfo> {
    // Rejects when the connection has ended and no frame from it is left.
    const frame = await this.frame(OPCODES.close).catch(() => undefined);
    if (frame === undefined && !this.#isGone) throw new Error("Waited for a close frame or the end of the connection");
    if (frame === undefined) return { code: 1006, reason: "" };
    const { payload } = frame;
    return { code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }

  #read(piece: Buffer): void {
    if (this.#isUpgraded) {
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
    this.#isUpgraded = answer.status === 101;
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

/** Opens a TCP connection and sends nothing. When the server ends its half, the other half stays open. */
export async function openTcp(port: number): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  return new RawClient(socket);
}
