import type { Dialect, Room } from "./dialects.ts";
import { BINARY, clientFrame, FrameRow, PING, PONG, recogniser, Scanner, TEXT, textOf } from "./frames.ts";
import type { Connect, Wire } from "./wire.ts";

/** Receives the count of messages that one read brought to the client. */
export type OnMessages = (client: Client, messages: number) => void;

/** Receives a failure that ends the measurement, such as a lost connection or a refusal. */
export type OnFailure = (failure: string) => void;

export interface ClientOptions {
  readonly port: number;
  readonly index: number;
  readonly dialect: Dialect;
  readonly connect: Connect;
  readonly onFailure: OnFailure;
  /** Counts what happens on the wires. */
  readonly activity: { events: number };
  /** What a client that comes back has kept of its former connection. */
  readonly former?: Former;
}

/** What a client keeps of a connection that it lost. */
interface Former {
  readonly ticket: string | undefined;
  readonly received: number;
}

/** Messages that a client receives before it acknowledges them: a small part of the messages that a server keeps. */
const ACKNOWLEDGE_EVERY = 64;

const encoder = new TextEncoder();

const ignore: OnMessages = () => {};

/** WebSocket client over a bare wire. It answers pings, counts messages, and sends frames that were built before. */
export class Client {
  readonly index: number;
  /** Callback that a load sets for this client. */
  onMessages: OnMessages = ignore;
  readonly #options: ClientOptions;
  readonly #scanner = new Scanner({ onOtherFrame: (opcode, payload) => this.#onOtherFrame(opcode, payload) });
  #wire: Wire | undefined = undefined;
  #handshake = "";
  #isUpgraded = false;
  #isReady = false;
  #isEnding = false;
  #resolveReady: (() => void) | undefined;
  #row: FrameRow | undefined = undefined;
  #sent = 0;
  /** Count of received messages. Where the dialect numbers messages, it is the latest number. */
  #received: number;
  #unacknowledged: number;
  /** Payload that `#ask` expects, and the callback that takes the answer. */
  #expected: string | undefined = undefined;
  #resolveAnswer: ((payload: string) => void) | undefined = undefined;
  #beat: ReturnType<typeof setInterval> | undefined = undefined;
  /** Frame that made this client ready, and its latest answer. Kept only where a ticket is made of them. */
  #welcome = "";
  #answer = "";

  constructor(options: ClientOptions) {
    this.#options = options;
    this.index = options.index;
    this.#received = options.former?.received ?? 0;
    // Different start values keep the members of a room from acknowledging all at once.
    this.#unacknowledged = options.index % ACKNOWLEDGE_EVERY;
  }

  /** Count of sends without an ack; 0 where the dialect has no acks. */
  get unacked(): number {
    return this.#options.dialect.acks === undefined ? 0 : this.#sent - this.#scanner.acks;
  }

  /** Whether the server has accepted messages from this client. */
  get isOpen(): boolean {
    return this.#isReady;
  }

  /** Whether the server welcomed this client to the session that it had before. */
  get isResumed(): boolean {
    const ticket = this.#options.former?.ticket;
    return (
      this.#isReady && ticket !== undefined && this.#options.dialect.resuming?.isResumed(this.#welcome, ticket) === true
    );
  }

  /** Connects, and waits until the server accepts messages from this client. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolveReady = resolve;
      this.#options.connect(this.#options.port, {
        onOpen: (wire) => this.#onOpen(wire),
        onData: (chunk, length) => this.#onData(chunk, length),
        onClose: (reason) => this.#onClose(reason),
      });
    });
  }

  /**
   * Builds frames for messages to `to`, `maxInWrite` at once, and sets up the count of messages from `from`. With
   * `asBytes`, the frames are binary; their payload is the same.
   */
  aim(options: { to: number; from: number; message: string; maxInWrite: number; asBytes?: boolean }): void {
    const { dialect } = this.#options;
    const { to, from, message, maxInWrite, asBytes = false } = options;
    this.#row = this.#rowOf((ackId) => dialect.encode(this.index, to, message, ackId), maxInWrite, asBytes);
    this.#count(dialect.delivered(from, this.index, message), undefined);
  }

  /** Builds frames to publish messages, `maxInWrite` at once. `recipients` is the count of the other members. */
  aimAtRoom(options: { message: string; maxInWrite: number; recipients: number }): void {
    const { message, maxInWrite, recipients } = options;
    const room = this.#room();
    this.#row = this.#rowOf((ackId) => room.publish(message, ackId), maxInWrite);
    this.#count(room.published(this.index, message), recipients);
  }

  /** Sets up the count of messages that `from` publishes. */
  listenToRoom(options: { from: number; message: string }): void {
    this.#count(this.#room().published(options.from, options.message), undefined);
  }

  /** Sets up the count of messages from `from`. */
  listenTo(options: { from: number; message: string }): void {
    this.#count(this.#options.dialect.delivered(options.from, this.index, options.message), undefined);
  }

  /** Sends one message to itself, to make sure of its id. @throws {Error} When another message arrives. */
  async checkId(): Promise<void> {
    const { dialect } = this.#options;
    const message = `is this ${this.index}?`;
    await this.#ask(
      dialect.encode(this.index, this.index, message, undefined),
      dialect.delivered(this.index, this.index, message, this.#received + 1),
    );
    this.#received++;
    this.acknowledge();
  }

  /** Sends a message without an ack, which needs no frames built before. */
  post(to: number, message: string): void {
    this.#wire?.write(clientFrame(TEXT, this.#options.dialect.encode(this.index, to, message, undefined)));
  }

  /** Acknowledges all messages that have arrived, where the dialect has acks. */
  acknowledge(): void {
    const { acks } = this.#options.dialect;
    if (acks === undefined) return;
    this.#unacknowledged = 0;
    this.#wire?.write(clientFrame(TEXT, acks.acknowledge(this.#received)));
  }

  /** Returns a client that comes back after this one has lost its connection. It is not open yet. */
  successor(): Client {
    const ticket = this.#options.dialect.resuming?.ticket(this.#welcome, this.#answer);
    return new Client({ ...this.#options, former: { ticket, received: this.#received } });
  }

  /** Joins the room. @throws {Error} When the server gives another answer than expected. */
  async join(): Promise<void> {
    const room = this.#room();
    await this.#ask(room.join, room.joined(this.index));
  }

  /** Sends this many messages in one write; at most the `maxInWrite` of `aim`. */
  send(messages: number): void {
    if (this.#row === undefined) throw new Error(`Client ${this.index} cannot send: it has no frames`);
    this.#wire?.write(this.#row.take(messages, this.#sent));
    this.#sent += messages;
  }

  end(): void {
    this.#isEnding = true;
    clearInterval(this.#beat);
    this.#wire?.end();
  }

  async #ask(payload: string, expected: string): Promise<void> {
    this.#expected = expected;
    const answered = new Promise<string>((resolve) => {
      this.#resolveAnswer = resolve;
    });
    this.#wire?.write(clientFrame(TEXT, payload));
    const answer = await answered;
    if (answer !== expected) throw new Error(`Client ${this.index} got ${answer}, not ${expected}`);
  }

  #room(): Room {
    const { room } = this.#options.dialect;
    if (room === undefined) throw new Error("Cannot use a room: the dialect has none");
    return room;
  }

  #rowOf(encode: (ackId: number | undefined) => string, maxInWrite: number, asBytes = false): FrameRow {
    const first = this.#options.dialect.acks?.firstId;
    const payload = encode(first);
    const opcode = asBytes ? BINARY : TEXT;
    if (first === undefined) return new FrameRow(payload, maxInWrite, opcode);
    return new FrameRow(payload, maxInWrite, opcode, { first, at: payload.lastIndexOf(String(first)) });
  }

  /** Makes the scanner count messages like this one, and acks with this count of recipients. */
  #count(firstMessage: string, recipients: number | undefined): void {
    const { acks, withoutSuffix } = this.#options.dialect;
    if (acks === undefined && withoutSuffix === undefined) this.#scanner.messageBytes = firstMessage.length;
    else this.#scanner.recognise = recogniser(firstMessage, acks?.ack(recipients) ?? "");
  }

  #onOpen(wire: Wire): void {
    this.#options.activity.events++;
    this.#wire = wire;
    const { protocol } = this.#options.dialect;
    const lines = [
      `GET ${this.#options.dialect.target(this.index, this.#options.former?.ticket)} HTTP/1.1`,
      `Host: 127.0.0.1:${this.#options.port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ];
    wire.write(encoder.encode(`${lines.join("\r\n")}\r\n\r\n`));
  }

  #onData(chunk: Uint8Array, length: number): void {
    this.#options.activity.events++;
    const start = this.#isUpgraded ? 0 : this.#readHandshake(chunk, length);
    const messages = this.#scanner.scan(chunk, length, start);
    if (messages === 0) return;
    this.#received += messages;
    this.#unacknowledged += messages;
    if (this.#unacknowledged >= ACKNOWLEDGE_EVERY) this.acknowledge();
    this.onMessages(this, messages);
  }

  /** Reads the answer to the upgrade. @returns Where the frames start in the chunk. */
  #readHandshake(chunk: Uint8Array, length: number): number {
    const before = this.#handshake.length;
    this.#handshake += textOf(chunk.subarray(0, length));
    const end = this.#handshake.indexOf("\r\n\r\n");
    if (end < 0) return length;
    if (!this.#handshake.startsWith("HTTP/1.1 101 ")) {
      this.#fail(`was refused: ${this.#handshake.slice(0, 200)}`);
      return length;
    }
    this.#isUpgraded = true;
    this.#handshake = "";
    if (!this.#options.dialect.greets) this.#onReady();
    return end + 4 - before;
  }

  #onReady(): void {
    const { heartbeat, acks } = this.#options.dialect;
    if (acks !== undefined) this.#wire?.write(clientFrame(TEXT, acks.acknowledge(this.#received)));
    if (heartbeat !== undefined) {
      const frame = clientFrame(TEXT, heartbeat.text);
      this.#beat = setInterval(() => this.#wire?.write(frame), heartbeat.everyMs);
    }
    this.#isReady = true;
    this.#resolveReady?.();
    this.#resolveReady = undefined;
  }

  #onOtherFrame(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) {
      this.#wire?.write(clientFrame(PONG, payload));
      return;
    }
    if (opcode === PONG) return;
    const text = textOf(payload);
    const { dialect, former } = this.#options;
    if (opcode === TEXT && this.#resolveAnswer !== undefined) {
      const answer = dialect.withoutSuffix?.(text) ?? text;
      if (answer.length === this.#expected?.length) {
        if (dialect.resuming !== undefined) this.#answer = text;
        this.#resolveAnswer(answer);
        this.#resolveAnswer = undefined;
        return;
      }
    }
    const answer = opcode === TEXT ? dialect.control(text, former?.ticket) : undefined;
    if (answer?.type === "ready") {
      if (dialect.resuming !== undefined) this.#welcome = text;
      this.#onReady();
    } else if (answer?.type === "nothing") return;
    else if (answer?.type === "send") this.#wire?.write(clientFrame(TEXT, answer.text));
    else this.#fail(`got an unexpected frame, opcode ${opcode}: ${text.slice(0, 200)}`);
  }

  #onClose(reason: string): void {
    clearInterval(this.#beat);
    if (!this.#isEnding) this.#fail(`lost its connection: ${reason}`);
  }

  /** Reports a failure. @param predicate Completes the sentence "Client …". */
  #fail(predicate: string): void {
    if (!this.#isEnding) this.#options.onFailure(`Client ${this.index} ${predicate}`);
  }
}
