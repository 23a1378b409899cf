import { OPCODES } from "./frames.ts";
import { connectRawJson } from "./json-client.ts";
import type { RawClient } from "./raw.ts";
import type { Server } from "./server.ts";
import { within } from "./wait.ts";

/** Longer than any test: who waits for a frame says itself for how long. */
const FOREVER_MS = 600_000;
const MARK = "mark";

/** What a frame says to a client of these tests. */
export type News =
  | { readonly type: "message"; readonly text: string }
  | { readonly type: "refused"; readonly number?: number }
  | { readonly type: "delivered" | "mark" | "other" };

/** How clients of one protocol say what these tests say. */
export interface Dialect {
  readonly name: string;
  connect(server: Server): Promise<{ readonly raw: RawClient; readonly id: string }>;
  /** The frame that sends the text. The number is the sender's own, from 1. */
  send(to: string, text: string, number: number): string;
  /** The frame that is answered by a mark, behind the answers to all frames before it. */
  askMark(id: string): string;
  read(frame: string): News;
}

export const plain: Dialect = {
  name: "plain",
  connect: (server) => server.connectRaw(),
  send: (to, text) => `${to}:${text}`,
  askMark: (id) => `${id}:${MARK}`,
  read: (frame) => {
    if (frame === MARK) return { type: "mark" };
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
  send: (to, data, ackId) => JSON.stringify({ type: "send", to, data, ackId }),
  askMark: () => JSON.stringify({ type: "ping" }),
  read: (text) => {
    const { type, data, ackId, outcome, error } = JSON.parse(text);
    if (type === "message") return { type: "message", text: data };
    if (type === "pong") return { type: "mark" };
    if (type === "ack" && outcome === "delivered") return { type: "delivered" };
    return error?.code === "too_slow" ? { type: "refused", number: ackId } : { type: "other" };
  },
};

/** A client that numbers what it sends to one receiver, and keeps the book of what became of it. */
export class NumberedSender {
  /** The numbers that arrived, in the order of arrival. */
  readonly arrived: number[] = [];
  /** What came and should not have. */
  readonly odd: News[] = [];
  /** How many it was told were refused, and which, where the protocol says. */
  refused = 0;
  readonly refusedNumbers: number[] = [];
  sent = 0;
  readonly #name: string;
  readonly #dialect: Dialect;
  readonly #raw: RawClient;
  readonly #id: string;
  readonly #to: string;
  #marked = (): void => {};
  #settled = (): void => {};

  private constructor(name: string, dialect: Dialect, client: { raw: RawClient; id: string }, to: string) {
    this.#name = name;
    this.#dialect = dialect;
    this.#raw = client.raw;
    this.#id = client.id;
    this.#to = to;
    void listen(client.raw, dialect, (news) => this.#hear(news));
  }

  static async connect(name: string, dialect: Dialect, server: Server, to: string): Promise<NumberedSender> {
    return new NumberedSender(name, dialect, await dialect.connect(server), to);
  }

  /** Sends messages of these lengths, in one write. */
  send(lengths: readonly number[]): void {
    const frames = lengths.map((length) => {
      const number = ++this.sent;
      return this.#dialect.send(this.#to, `${this.#name} ${number} `.padEnd(length, "x"), number);
    });
    this.#raw.send(...frames.map((payload) => ({ opcode: OPCODES.text, payload })));
  }

  /** Waits until the relay has read all that was sent. */
  read(): Promise<void> {
    const marked = new Promise<void>((resolve) => {
      this.#marked = resolve;
    });
    this.#raw.text(this.#dialect.askMark(this.#id));
    return within(marked, `the relay to read what ${this.#name} sent`);
  }

  /** Waits until each message has arrived or was refused. */
  settled(): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      this.#settled = resolve;
    });
    this.#settle();
    return within(settled, `each of the ${this.sent} messages of ${this.#name} to arrive or to be refused`);
  }

  reset(): void {
    this.#raw.reset();
  }

  /** The receiver got this one. */
  arrives(number: number): void {
    this.arrived.push(number);
    this.#settle();
  }

  #hear(news: News): void {
    if (news.type === "mark") this.#marked();
    else if (news.type === "refused") this.#refuse(news.number);
    else if (news.type !== "delivered") this.odd.push(news);
  }

  #refuse(number: number | undefined): void {
    this.refused++;
    if (number !== undefined) this.refusedNumbers.push(number);
    this.#settle();
  }

  #settle(): void {
    if (this.arrived.length + this.refused === this.sent) this.#settled();
  }
}

/** Tells of each frame that comes, until the connection ends. */
export async function listen(raw: RawClient, dialect: Dialect, hear: (news: News) => void): Promise<void> {
  for (;;) {
    const frame = await raw.next(FOREVER_MS).catch(() => undefined);
    if (frame === undefined) return;
    hear(dialect.read(String(frame)));
  }
}
