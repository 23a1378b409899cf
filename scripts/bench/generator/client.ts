import type { Dialect, Room } from "./dialects.ts";
import { clientFrame, FrameRow, PING, PONG, recogniser, Scanner, TEXT, textOf } from "./frames.ts";
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

/** Messages after which a client says that it has them, where the dialect wants that: a small part of what a server keeps. */
const ACKNOWLEDGE_EVERY = 64;

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
  #row = new FrameRow("", 0);
  #sent = 0;
  /** Messages that arrived, which is the number of the latest where the dialect numbers them. */
  #received = 0;
  #unacknowledged: number;
  #expected: string | undefined = undefined;
  #arrived: ((payload: string) => void) | undefined = undefined;
  #beat: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.index = options.index;
    // So that the members of a room do not all acknowledge at the same message.
    this.#unacknowledged = options.index % ACKNOWLEDGE_EVERY;
  }

  /** Messages sent that the server has not answered by an ack; 0 where the dialect has no acks. */
  get unacked(): number {
    return this.#options.dialect.acks === undefined ? 0 : this.#sent - this.#scanner.acks;
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
    const { to, from, message, most } = options;
    this.#row = this.#rowOf((ackId) => dialect.encode(this.index, to, message, ackId), most);
    this.#count(dialect.delivered(from, this.index, message), undefined);
  }

  /** Has the client ready to publish up to `most` messages in one write to a room with so many other members. */
  aimAtRoom(options: { message: string; most: number; recipients: number }): void {
    const { message, most, recipients } = options;
    const room = this.#room();
    this.#row = this.#rowOf((ackId) => room.publish(message, ackId), most);
    this.#count(room.published(this.index, message), recipients);
  }

  /** Has the client ready to count what `from` publishes. */
  listenToRoom(options: { from: number; message: string }): void {
    this.#count(this.#room().published(options.from, options.message), undefined);
  }

  /**
   * Sends one message to itself and waits for it, so that who has which id is known and not hoped.
   *
   * @throws {Error} When something else arrives.
   */
  async checkId(): Promise<void> {
    const { dialect } = this.#options;
    const message = `is this ${this.index}?`;
    await this.#ask(
      dialect.encode(this.index, this.index, message, undefined),
      dialect.delivered(this.index, this.index, message),
    );
    this.#received++;
  }

  /** Becomes a member of the room. @throws {Error} When the server says something else. */
  async join(): Promise<void> {
    const room = this.#room();
    await this.#ask(room.join, room.joined(this.index));
  }

  /** Sends as many messages in one write; at most as `aim` was told. */
  send(messages: number): void {
    this.#wire?.write(this.#row.take(messages, this.#sent));
    this.#sent += messages;
  }

  end(): void {
    this.#ending = true;
    clearInterval(this.#beat);
    this.#wire?.end();
  }

  async #ask(payload: string, expected: string): Promise<void> {
    this.#expected = expected;
    const arrived = new Promise<string>((resolve) => {
      this.#arrived = resolve;
    });
    this.#wire?.write(clientFrame(TEXT, payload));
    const answer = await arrived;
    if (answer !== expected) throw new Error(`Client ${this.index} got ${answer}, not ${expected}`);
  }

  #room(): Room {
    const { room } = this.#options.dialect;
    if (room === undefined) throw new Error("Cannot use a room: the dialect has none");
    return room;
  }

  #rowOf(encode: (ackId: number | undefined) => string, most: number): FrameRow {
    const first = this.#options.dialect.acks?.firstId;
    const payload = encode(first);
    if (first === undefined) return new FrameRow(payload, most);
    return new FrameRow(payload, most, { first, at: payload.lastIndexOf(String(first)) });
  }

  /** Has the scanner count messages such as this one, and acks for so many recipients. */
  #count(firstMessage: string, recipients: number | undefined): void {
    const { acks } = this.#options.dialect;
    if (acks === undefined) this.#scanner.messageBytes = firstMessage.length;
    else this.#scanner.recognise = recogniser(firstMessage, acks.ack(recipients));
  }

  #opened(wire: Wire): void {
    this.#wire = wire;
    const { protocol } = this.#options.dialect;
    const lines = [
      `GET ${this.#options.dialect.target(this.index)} HTTP/1.1`,
      `Host: 127.0.0.1:${this.#options.port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ];
    wire.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  }

  #data(chunk: Uint8Array, length: number): void {
    const start = this.#upgraded ? 0 : this.#readHandshake(chunk, length);
    const messages = this.#scanner.scan(chunk, length, start);
    if (messages === 0) return;
    this.#received += messages;
    this.#acknowledge(messages);
    this.onMessages(this, messages);
  }

  #acknowledge(messages: number): void {
    const { acks } = this.#options.dialect;
    if (acks === undefined) return;
    this.#unacknowledged += messages;
    if (this.#unacknowledged < ACKNOWLEDGE_EVERY) return;
    this.#unacknowledged = 0;
    this.#wire?.write(clientFrame(TEXT, acks.acknowledge(this.#received)));
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
    const { heartbeat, acks } = this.#options.dialect;
    if (acks !== undefined) this.#wire?.write(clientFrame(TEXT, acks.acknowledge(0)));
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
    else if (answer?.type === "nothing") return;
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
