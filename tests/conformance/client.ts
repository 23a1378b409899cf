import { once } from "node:events";
import { WebSocket } from "ws";
import { Inbox, within } from "./wait.ts";

/** Text arrives as a string, bytes as a Buffer. */
export type Message = string | Buffer;

/** How a connection ended, as its client saw it. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A well-behaved client: answers pings and closes, as a browser does. */
export class Client {
  /** Its id at the relay; empty for a client that has none, or did not ask. */
  id = "";
  readonly closed: Promise<Closed>;
  readonly #ws: WebSocket;
  readonly #messages = new Inbox<Message>();
  readonly #name: string;

  constructor(ws: WebSocket, name: string, onMessage?: (message: Message) => void) {
    this.#ws = ws;
    this.#name = name;
    const receive = onMessage ?? ((message: Message) => this.#messages.push(message));
    this.closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => {
        this.#messages.end(`${this.#title} was closed with ${code}`);
        resolve({ code, reason: reason.toString() });
      });
    });
    // The close event follows, and tells.
    ws.on("error", () => {});
    // Without options that say otherwise, `ws` gives a message as one Buffer.
    ws.on("message", (data: Buffer, isBinary) => receive(isBinary ? data : data.toString()));
  }

  send(message: string | Uint8Array): void {
    this.#ws.send(message);
  }

  /** The next message, from those that have come or as soon as it comes. */
  next(): Promise<Message> {
    return this.#messages.next(`the next message to ${this.#title}`);
  }

  /** How the connection ends. */
  end(): Promise<Closed> {
    return within(this.closed, `the end of ${this.#title}`);
  }

  /** Closes, and waits until the relay has answered. */
  async close(code?: number): Promise<Closed> {
    this.#ws.close(code);
    return this.end();
  }

  /** Drops the connection, if it is still there. */
  drop(): void {
    this.#ws.terminate();
  }

  /** Has the client's own message to itself come next? Then nobody else's came before it. */
  async nextIsOwn(): Promise<boolean> {
    const marker = `marker ${Math.random()}`;
    this.send(`${this.id}:${marker}`);
    const next = await this.next();
    return typeof next === "string" && (next === marker || next === `${this.id}:${marker}`);
  }

  get #title(): string {
    return this.id === "" ? this.#name : `client ${this.id}`;
  }
}

/**
 * @param onMessage Is given each message, in place of the client's `next`.
 * @throws {Error} When the server refuses the handshake; the error has its status.
 */
export async function openClient(
  url: string,
  protocols: readonly string[] = [],
  onMessage?: (message: Message) => void,
): Promise<Client> {
  const ws = new WebSocket(url, [...protocols], { perMessageDeflate: false });
  const client = new Client(ws, `the client of ${new URL(url).pathname}`, onMessage);
  await within(once(ws, "open"), `a connection to ${url}`);
  return client;
}
