import type { RelayFrame } from "../core/protocol/json-frames.ts";
import { type ConnectionOptions, Reconnecting, type Welcome } from "./connection.ts";
import { RelayError } from "./errors.ts";
import { Events } from "./events.ts";
import { type Ack, type Request, Requests } from "./requests.ts";

export { RelayError } from "./errors.ts";
export type { ClientSocket, ClientSocketConstructor } from "./socket.ts";

/** Acknowledged at once after so many messages, and otherwise within `ACK_DELAY_MS`. */
const ACK_EVERY = 64;
const ACK_DELAY_MS = 200;

export interface ConnectOptions extends ConnectionOptions {
  /** Closes the client when it is aborted. */
  readonly signal?: AbortSignal;
}

/** A message that arrived. */
export interface RelayMessage<Data> {
  /** The id of its sender. */
  readonly from: string;
  /** The room that it was published in; absent where it was sent to this client alone. */
  readonly room?: string | undefined;
  /** What was sent; bytes as a Uint8Array. */
  readonly data: Data;
}

/** Somebody in a room, or somebody watched, came, went, or lost the connection for a while. */
export interface Presence {
  readonly id: string;
  /** The room that they are in; absent where the id itself is watched. */
  readonly room?: string | undefined;
  readonly event: "joined" | "left" | "online" | "offline";
}

/** What a client can listen to. */
export interface RelayClientEvents<Data> {
  message: RelayMessage<Data>;
  presence: Presence;
  /** The relay welcomed this client, for the first time or again. `resumed`: with the same id and rooms. `recovered`: and nothing was lost. */
  connected: { readonly id: string; readonly resumed: boolean; readonly recovered: boolean };
  /** The connection was lost. `retryMs`: the next attempt comes after so many milliseconds. */
  disconnected: { readonly code: number; readonly reason: string; readonly retryMs: number };
  /** It is over: this side closed, or the relay with a code that means so. */
  closed: { readonly code: number; readonly reason: string };
  /** The relay refused something that nobody waits for the outcome of. */
  error: RelayError;
}

/** What became of a send: handed to the receiver's open connection, or waiting for a receiver that is away. */
export type SendOutcome = "delivered" | "queued";

export interface SendOptions {
  /** Stops waiting for the outcome. What is on its way already is not called back. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a relay and stays connected: a connection that is lost is made again, with the same id, and nothing
 * that was acknowledged is lost or seen twice while the relay's resume window is open.
 *
 * @typeParam Data What the clients of this relay send each other.
 * @param url The relay's address, such as `wss://relay.example.org/ws`.
 * @throws {TypeError} When the URL is none, or when there is no WebSocket here and none in the options.
 */
export function connect<Data = unknown>(url: string | URL, options: ConnectOptions = {}): RelayClient<Data> {
  return new RelayClient<Data>(url, options);
}

/** A client of the relay; made by `connect`. Iterating over it gives its messages from then on, until it closes. */
export class RelayClient<Data = unknown>
  extends Events<RelayClientEvents<Data>>
  implements AsyncIterable<RelayMessage<Data>>
{
  /** Resolves with the first welcome; rejects when the client closes before. */
  readonly ready: Promise<void>;
  readonly #connection: Reconnecting;
  readonly #requests: Requests;
  readonly #rooms = new Set<string>();
  readonly #watched = new Set<string>();
  #settleReady: { resolve: () => void; reject: (error: RelayError) => void };
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.close();
  #id = "";
  #isClosed = false;
  #lastSequenceId = 0;
  #acknowledgedId = 0;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;

  /** Use `connect`. */
  constructor(url: string | URL, options: ConnectOptions) {
    super();
    let settle = { resolve: (): void => {}, reject: (_error: RelayError): void => {} };
    this.ready = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settleReady = settle;
    this.ready.catch(() => {});
    this.#signal = options.signal;
    this.#requests = new Requests((text) => this.#connection.sendText(text));
    this.#connection = new Reconnecting(url, options, {
      welcomed: (welcome) => this.#welcomed(welcome),
      received: (frame) => this.#received(frame),
      lost: (code, reason, retryMs) => this.#lost(code, reason, retryMs),
    });
    globalThis.addEventListener?.("online", this.#connection.retryNow);
    options.signal?.addEventListener("abort", this.#abort);
    if (options.signal?.aborted) this.close();
  }

  /** This client's id; empty before the first welcome. It changes when a session could not be resumed. */
  get id(): string {
    return this.#id;
  }

  /**
   * Sends to one id. Waits for a connection where there is none.
   *
   * @param data Any JSON value, or bytes.
   * @returns What became of it.
   * @throws {RelayError} With the relay's code where it was refused.
   */
  async send(to: string, data: Data, options: SendOptions = {}): Promise<SendOutcome> {
    const { outcome } = await this.#requests.ask({ type: "send", to, ...spell(data) }, options.signal);
    return outcome === "queued" ? "queued" : "delivered";
  }

  /** A room by its name. It is joined by `join`, and joined again by itself after a session that could not be resumed. */
  room(name: string): Room<Data> {
    const ask = (frame: Request): Promise<Ack> => this.#requests.ask(frame);
    return new Room<Data>(name, this, ask, this.#rooms);
  }

  /** Reports from now on when the id comes and goes, as `presence`; once at once. @throws {RelayError} */
  async watch(id: string): Promise<void> {
    await this.#requests.ask({ type: "watch", id });
    this.#watched.add(id);
  }

  /** Ends `watch`. @throws {RelayError} */
  async unwatch(id: string): Promise<void> {
    this.#watched.delete(id);
    await this.#requests.ask({ type: "unwatch", id });
  }

  /** Leaves for good: the id and its rooms are free at once, what waits for an outcome is rejected. */
  close(): void {
    this.#connection.close(1000, "");
  }

  [Symbol.asyncIterator](): AsyncGenerator<RelayMessage<Data>, void> {
    return this.iterate("message", "closed", () => this.#isClosed);
  }

  #welcomed({ id, resumed, recovered, limits }: Welcome): void {
    this.#id = id;
    if (!resumed) this.#lastSequenceId = 0;
    this.#acknowledge();
    if (!resumed) {
      for (const room of this.#rooms) this.#connection.send({ type: "join", room });
      for (const watched of this.#watched) this.#connection.send({ type: "watch", id: watched });
    }
    this.#requests.restart(resumed, limits);
    this.#settleReady.resolve();
    this.emit("connected", { id, resumed, recovered });
  }

  #received(frame: RelayFrame): void {
    switch (frame.type) {
      case "message":
        this.#deliver(frame);
        break;
      case "ack":
        this.#requests.answered(frame);
        break;
      case "presence":
        this.emit("presence", { id: frame.id, room: frame.room, event: frame.event });
        break;
      case "error":
        this.emit("error", new RelayError(frame.error.code, frame.error.message, frame.error.temporary));
        break;
    }
  }

  #deliver({ sequenceId, from, room, data, encoding }: Extract<RelayFrame, { type: "message" }>): void {
    // Sent again after a resume, because the relay could not know that it had arrived.
    if (sequenceId <= this.#lastSequenceId) return;
    this.#lastSequenceId = sequenceId;
    // What others send is theirs to get right; the type says what was agreed on.
    const agreed = (encoding === undefined ? data : bytesOf(String(data))) as Data;
    this.emit("message", { from, room, data: agreed });
    if (this.#isClosed) return;
    if (sequenceId - this.#acknowledgedId >= ACK_EVERY) this.#acknowledge();
    else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_DELAY_MS);
  }

  #acknowledge(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#acknowledgedId = this.#lastSequenceId;
    this.#connection.send({ type: "sequenceAck", sequenceId: this.#lastSequenceId });
  }

  #lost(code: number, reason: string, retryMs: number | undefined): void {
    if (retryMs !== undefined) {
      this.emit("disconnected", { code, reason, retryMs });
      return;
    }
    clearTimeout(this.#ackTimer);
    globalThis.removeEventListener?.("online", this.#connection.retryNow);
    this.#isClosed = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    const error = new RelayError("closed", `The client is closed: ${code} ${reason}`.trim(), false);
    this.#settleReady.reject(error);
    this.#requests.rejectAll(error);
    this.emit("closed", { code, reason });
  }
}

/** A room of a client. Iterating over it gives the messages that are published in it from then on. */
export class Room<Data> implements AsyncIterable<RelayMessage<Data>> {
  readonly name: string;
  readonly #client: RelayClient<Data>;
  readonly #ask: (frame: Request) => Promise<Ack>;
  readonly #joined: Set<string>;

  /** Use `room` of a client. */
  constructor(name: string, client: RelayClient<Data>, ask: (frame: Request) => Promise<Ack>, joined: Set<string>) {
    this.name = name;
    this.#client = client;
    this.#ask = ask;
    this.#joined = joined;
  }

  /** Becomes a member. @throws {RelayError} */
  async join(): Promise<void> {
    await this.#ask({ type: "join", room: this.name });
    this.#joined.add(this.name);
  }

  /** Ends the membership; harmless where there is none. @throws {RelayError} */
  async leave(): Promise<void> {
    this.#joined.delete(this.name);
    try {
      await this.#ask({ type: "leave", room: this.name });
    } catch (error) {
      // Asked again after a resume, because the first answer was lost.
      if (!(error instanceof RelayError && error.code === "not_in_room")) throw error;
    }
  }

  /**
   * Publishes to the other members, and with `echo` to this one too.
   *
   * @returns How many members got it, those that are away among them.
   * @throws {RelayError}
   */
  async publish(data: Data, options: { readonly echo?: boolean } = {}): Promise<number> {
    const { recipients } = await this.#ask({
      type: "publish",
      room: this.name,
      ...spell(data),
      echo: options.echo ?? false,
    });
    return recipients ?? 0;
  }

  /** The ids of the members, in order of joining. @throws {RelayError} */
  async members(): Promise<readonly string[]> {
    const { members } = await this.#ask({ type: "members", room: this.name });
    return members ?? [];
  }

  /** As `on` of the client, for this room alone. */
  on<Name extends "message" | "presence">(
    name: Name,
    listener: (event: RelayClientEvents<Data>[Name]) => void,
  ): () => void {
    return this.#client.on(name, (event) => {
      if (event.room === this.name) listener(event);
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RelayMessage<Data>, void> {
    for await (const message of this.#client) if (message.room === this.name) yield message;
  }
}

/** Data as it stands in a frame. */
function spell(data: unknown): { data: unknown; encoding?: "base64" } {
  if (!(data instanceof Uint8Array)) return { data };
  let binary = "";
  for (const byte of data) binary += String.fromCharCode(byte);
  return { data: btoa(binary), encoding: "base64" };
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
