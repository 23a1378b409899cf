import type { Dialect } from "./dialects.ts";
import { clientFrame, PING, PONG, repeat, Scanner, TEXT, textOf } from "./frames.ts";
import type { Connect, Wire } from "./wire.ts";

/** Called with the number of messages that one read brought to the client. */
export type OnMessages = (client: Client, messages: number) => void;

/** Called with what ends a measurement: a lost connection, a refusal. */
export type OnTrouble = (trouble: string) => void;

export interface ClientOptions {
  readonly port: number;
  readonly index: number;
  readonly dialect: Dialect;
  readonly connect: Connect;
  readonly onTrouble: OnTrouble;
}

const nothing: OnMessages = () => {};

/** One WebSocket client over a bare wire. It answers pings, counts messages, and sends frames that were built before. */
export class Client {
  readonly index: number;
  /** Where a load keeps what it has for this client. */
  onMessages: OnMessages = nothing;
  readonly #options: ClientOptions;
  readonly #scanner = new Scanner({ other: (opcode, payload) => this.#other(opcode, payload) });
  #wire: Wire | undefined = undefined;
  #handshake = "";
  #upgraded = false;
  #ending = false;
  #ready: (() => void) | undefined;
  #frames: Uint8Array = new Uint8Array();
  #frameBytes = 0;
  #expected: string | undefined = undefined;
  #arrived: ((payload: string) => void) | undefined = undefined;
  #beat: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.index = options.index;
  }

  /** Connects. @returns When the server takes messages from this client. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      this.#ready = resolve;
      this.#options.connect(this.#options.port, {
        opened: (wire) => this.#opened(wire),
        data: (chunk, length) => this.#data(chunk, length),
        closed: (reason) => this.#closed(reason),
      });
    });
  }

  /** Has the client ready to send up to `most` messages to `to` in one write, and to count what `from` sends it. */
  aim(options: { to: number; from: number; message: string; most: number }): void {
    const { dialect } = this.#options;
    const frame = clientFrame(TEXT, dialect.encode(this.index, options.to, options.message));
    this.#frameBytes = frame.length;
    this.#frames = repeat(frame, options.most);
    this.#scanner.messageBytes = dialect.delivered(options.from, this.index, options.message).length;
  }

  /**
   * Sends one message to itself and waits for it, so that who has which id is known and not hoped.
   *
   * @throws {Error} When something else arrives.
   */
  async checkId(): Promise<void> {
    const { dialect } = this.#options;
    const message = `is this ${this.index}?`;
    this.#expected = dialect.delivered(this.index, this.index, message);
    const arrived = new Promise<string>((resolve) => {
      this.#arrived = resolve;
    });
    this.#wire?.write(clientFrame(TEXT, dialect.encode(this.index, this.index, message)));
    const payload = await arrived;
    if (payload !== this.#expected) throw new Error(`Client ${this.index} got ${payload}, not ${this.#expected}`);
  }

  /** Sends as many messages in one write; at most as `aim` was told. */
  send(messages: number): void {
    this.#wire?.write(this.#frames.subarray(0, this.#frameBytes * messages));
  }

  end(): void {
    this.#ending = true;
    clearInterval(this.#beat);
    this.#wire?.end();
  }

  #opened(wire: Wire): void {
    this.#wire = wire;
    const lines = [
      `GET ${this.#options.dialect.target(this.index)} HTTP/1.1`,
      `Host: 127.0.0.1:${this.#options.port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    wire.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  }

  #data(chunk: Uint8Array, length: number): void {
    const start = this.#upgraded ? 0 : this.#readHandshake(chunk, length);
    const messages = this.#scanner.scan(chunk, length, start);
    if (messages > 0) this.onMessages(this, messages);
  }

  /** Reads the answer to the upgrade. @returns Where in the chunk the frames begin. */
  #readHandshake(chunk: Uint8Array, length: number): number {
    const before = this.#handshake.length;
    this.#handshake += textOf(chunk.subarray(0, length));
    const end = this.#handshake.indexOf("\r\n\r\n");
    if (end < 0) return length;
    if (!this.#handshake.startsWith("HTTP/1.1 101 ")) {
      this.#trouble(`was refused: ${this.#handshake.slice(0, 200)}`);
      return length;
    }
    this.#upgraded = true;
    this.#handshake = "";
    if (!this.#options.dialect.greets) this.#isReady();
    return end + 4 - before;
  }

  #isReady(): void {
    const { heartbeat } = this.#options.dialect;
    if (heartbeat !== undefined) {
      const frame = clientFrame(TEXT, heartbeat.text);
      this.#beat = setInterval(() => this.#wire?.write(frame), heartbeat.everyMs);
    }
    this.#ready?.();
    this.#ready = undefined;
  }

  #other(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) {
      this.#wire?.write(clientFrame(PONG, payload));
      return;
    }
    if (opcode === PONG) return;
    const text = textOf(payload);
    if (opcode === TEXT && this.#arrived !== undefined && text.length === this.#expected?.length) {
      this.#arrived(text);
      this.#arrived = undefined;
      return;
    }
    const answer = opcode === TEXT ? this.#options.dialect.control(text) : undefined;
    if (answer?.type === "ready") this.#isReady();
    else if (answer?.type === "send") this.#wire?.write(clientFrame(TEXT, answer.text));
    else this.#trouble(`got an unexpected frame, opcode ${opcode}: ${text.slice(0, 200)}`);
  }

  #closed(reason: string): void {
    clearInterval(this.#beat);
    if (!this.#ending) this.#trouble(`lost its connection: ${reason}`);
  }

  #trouble(what: string): void {
    if (!this.#ending) this.#options.onTrouble(`Client ${this.index} ${what}`);
  }
}
