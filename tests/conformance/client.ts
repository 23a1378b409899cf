import { once } from "node:events";
import { WebSocket } from "ws";
import { Inbox, within } from "./wait.ts";

/** Received message: a string for text, a Buffer for bytes. */
export type Message = string | Buffer;

/** Close code and reason, as the client saw them. */
export interface CloseInfo {
  readonly code: number;
  readonly reason: string;
}

/** Well-behaved client: answers pings and close frames, as a browser does. */
export class Client {
  /** The client's id; empty where it has none or did not ask for it. */
  id = "";
  readonly #closed: Promise<CloseInfo>;
  readonly #ws: WebSocket;
  readonly #messages = new Inbox<Message>();
  readonly #name: string;

  constructor(ws: WebSocket, name: string, onMessage?: (message: Message) => void) {
    this.#ws = ws;
    this.#name = name;
    const receive = onMessage ?? ((message: Message) => this.#messages.push(message));
    this.#closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => {
        this.#messages.end(`${this.#title} was closed with ${code}`);
        resolve({ code, reason: reason.toString() });
      });
    });
    // A close event follows each error.
    ws.on("error", () => {});
    // With the default `binaryType`, `ws` passes each message as one Buffer.
    ws.on("message", (data: Buffer, isBinary) => receive(isBinary ? data : data.toString()));
  }

  send(message: string | Uint8Array): void {
    this.#ws.send(message);
  }

  /** Takes the next message; waits for it where none has arrived. */
  next(): Promise<Message> {
    return this.#messages.next(`the next message to ${this.#title}`);
  }

  /** Waits until the connection has ended. @returns Its close code and reason. */
  untilClosed(): Promise<CloseInfo> {
    return within(this.#closed, `the connection of ${this.#title} to end`);
  }

  /** Starts the closing handshake, and waits until the relay has answered. */
  async close(code?: number): Promise<CloseInfo> {
    this.#ws.close(code);
    return this.untilClosed();
  }

  /** Drops the connection without a close frame. Harmless when it has ended. */
  drop(): void {
    this.#ws.terminate();
  }

  /** Sends a message to itself. @returns Whether that is the next message: nothing else arrived before it. */
  async receivedNothing(): Promise<boolean> {
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
 * Connects a client.
 *
 * @param onMessage Receives each message; the client's `next` then returns none.
 * @throws {Error} When the server refuses the handshake; the message has the status.
 */
export async function openClient(
  url: string,
  protocols: readonly string[] = [],
  onMessage?: (message: Message) => void,
): Promise<Client> {
  const ws = new WebSocket(url, [...protocols], { perMessageDeflate: false });
  return opened(ws, `the client of ${new URL(url).pathname}`, onMessage);
}

/** Makes a client of a socket that is about to open. @throws {Error} As `openClient` does. */
export async function opened(ws: WebSocket, name = "the client", onMessage?: (message: Message) => void) {
  const client = new Client(ws, name, onMessage);
  await within(once(ws, "open"), `a connection to ${ws.url}`);
  return client;
}
