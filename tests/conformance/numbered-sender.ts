import { OPCODES, type WireFrame } from "./frames.ts";
import { connectRawJson, JSON_BYTES_PROTOCOL, readFrame } from "./json-client.ts";
import type { RawClient } from "./raw.ts";
import type { Server } from "./server.ts";
import { within } from "./wait.ts";

/** Longer than any test. The methods below have their own timeouts. */
const FOREVER_MS = 600_000;
const MARKER = "marker";

/** Meaning of a received frame, whatever the protocol. */
export type Incoming =
  | { readonly type: "message"; readonly text: string }
  | { readonly type: "refused"; readonly number?: number }
  | { readonly type: "delivered" | "marker" | "other" };

/** Protocol of a client: how it writes and reads the frames of these tests. */
export interface Dialect {
  readonly name: string;
  connect(server: Server): Promise<{ readonly raw: RawClient; readonly id: string }>;
  /** Returns the frame that sends the text. The sender numbers its messages from 1. */
  send(to: string, text: string, number: number): WireFrame;
  /** Whether a refusal names the message, by the number of its send. */
  readonly numbersRefusals: boolean;
  /** Returns a frame that the relay answers with a marker, after it has answered all frames before it. */
  requestMarker(id: string): string;
  read(frame: string | Buffer): Incoming;
}

export const plain: Dialect = {
  name: "plain",
  connect: (server) => server.connectRaw(),
  send: (to, text) => ({ opcode: OPCODES.text, payload: `${to}:${text}` }),
  numbersRefusals: false,
  requestMarker: (id) => `${id}:${MARKER}`,
  read: (payload) => {
    const frame = String(payload);
    if (frame === MARKER) return { type: "marker" };
    if (frame.startsWith(":error too_slow ")) return { type: "refused" };
    return frame.startsWith(":") ? { type: "other" } : { type: "message", text: frame };
  },
};

export const json: Dialect = {
  name: "relay.v1.json",
  connect: async (server) => {
    const { raw, welcome } = await connectRawJson(server);
    return { raw, id: welcome.id };
  },
  send: (to, data, ackId) => ({
    opcode: OPCODES.text,
    payload: JSON.stringify({ type: "send", to, data, ackId }),
  }),
  numbersRefusals: true,
  requestMarker: () => JSON.stringify({ type: "ping" }),
  read: (frame) => {
    const { type, data, ackId, outcome, error } = JSON.parse(String(frame));
    if (type === "message") return { type: "message", text: data };
    if (type === "pong") return { type: "marker" };
    if (type === "ack" && outcome === "delivered") return { type: "delivered" };
    return error?.code === "too_slow" ? { type: "refused", number: ackId } : { type: "other" };
  },
};

/** Sends every message as bytes. Their text is ASCII. */
export const jsonBytes: Dialect = {
  ...json,
  name: JSON_BYTES_PROTOCOL,
  connect: async (server) => {
    const { raw, welcome } = await connectRawJson(server, undefined, JSON_BYTES_PROTOCOL);
    return { raw, id: welcome.id };
  },
  send: (to, text, ackId) => ({
    opcode: OPCODES.binary,
    payload: `${JSON.stringify({ type: "send", to, ackId })}\n${text}`,
  }),
  read: (frame) => {
    if (typeof frame === "string") return json.read(frame);
    const { type, body } = readFrame(frame);
    return type === "message" ? { type: "message", text: String(body) } : { type: "other" };
  },
};

/** Client that numbers its messages to one receiver, and records what became of each. */
export class NumberedSender {
  /** Numbers of the messages that arrived, in the order of arrival. */
  readonly arrived: number[] = [];
  /** Frames that this client should not have received. */
  readonly unexpected: Incoming[] = [];
  /** Count of the messages that the relay refused. */
  refusedCount = 0;
  /** Their numbers, where the protocol has them. */
  readonly refusedNumbers: number[] = [];
  sentCount = 0;
  readonly #name: string;
  readonly #dialect: Dialect;
  readonly #raw: RawClient;
  readonly #id: string;
  readonly #to: string;
  #onMarker = (): void => {};
  #onAllSettled = (): void => {};

  private constructor(name: string, dialect: Dialect, client: { raw: RawClient; id: string }, to: string) {
    this.#name = name;
    this.#dialect = dialect;
    this.#raw = client.raw;
    this.#id = client.id;
    this.#to = to;
    void listen(client.raw, dialect, (incoming) => this.#receive(incoming));
  }

  static async connect(name: string, dialect: Dialect, server: Server, to: string): Promise<NumberedSender> {
    return new NumberedSender(name, dialect, await dialect.connect(server), to);
  }

  /** Sends messages of these lengths, in one write. */
  send(lengths: readonly number[]): void {
    const frames = lengths.map((length) => {
      const number = ++this.sentCount;
      return this.#dialect.send(this.#to, `${this.#name} ${number} `.padEnd(length, "x"), number);
    });
    this.#raw.send(...frames);
  }

  /** Waits until the relay has read every message of this client. */
  untilRead(): Promise<void> {
    const marker = new Promise<void>((resolve) => {
      this.#onMarker = resolve;
    });
    this.#raw.text(this.#dialect.requestMarker(this.#id));
    return within(marker, `the relay to read what ${this.#name} sent`);
  }

  /** Waits until each message has arrived or was refused. */
  untilSettled(): Promise<void> {
    const allSettled = new Promise<void>((resolve) => {
      this.#onAllSettled = resolve;
    });
    this.#checkSettled();
    return within(allSettled, `each of the ${this.sentCount} messages of ${this.#name} to arrive or to be refused`);
  }

  reset(): void {
    this.#raw.reset();
  }

  /** Records that the receiver has this message. */
  recordArrival(number: number): void {
    this.arrived.push(number);
    this.#checkSettled();
  }

  #receive(incoming: Incoming): void {
    if (incoming.type === "marker") this.#onMarker();
    else if (incoming.type === "refused") this.#recordRefusal(incoming.number);
    else if (incoming.type !== "delivered") this.unexpected.push(incoming);
  }

  #recordRefusal(number: number | undefined): void {
    this.refusedCount++;
    if (number !== undefined) this.refusedNumbers.push(number);
    this.#checkSettled();
  }

  #checkSettled(): void {
    if (this.arrived.length + this.refusedCount === this.sentCount) this.#onAllSettled();
  }
}

/** Calls `onIncoming` for each frame that arrives, until the connection ends. */
export async function listen(
  raw: RawClient,
  dialect: Dialect,
  onIncoming: (incoming: Incoming) => void,
): Promise<void> {
  for (;;) {
    const frame = await raw.next(FOREVER_MS).catch(() => undefined);
    if (frame === undefined) return;
    onIncoming(dialect.read(frame));
  }
}
