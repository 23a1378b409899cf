import type { ClientFrame, RelayFrame } from "../core/protocol/json-frames.ts";
import { type Connection, type ConnectionOptions, keepConnection, RESTART_CODE, type Welcome } from "./connection.ts";
import { fromBase64 } from "./data.ts";
import { ignorable, RelayError, toRelayError } from "./errors.ts";
import { type Ending, Events, type RelayClientEvents, type RelayMessage } from "./events.ts";
import { Inbox } from "./inbox.ts";
import { type QueueOptions, Requests } from "./requests.ts";
import { Room } from "./room.ts";
import { subscribe, unsubscribe } from "./subscriptions.ts";

/** Options of `connect`. */
export interface ConnectOptions extends ConnectionOptions, QueueOptions {
  /** Closes the client when the signal is aborted. With a signal that is aborted already, the client never connects. */
  readonly signal?: AbortSignal;
}

/**
 * Outcome of a send: `delivered` to the receiver's open connection, or `queued` for a receiver without a connection.
 */
export type SendOutcome = "delivered" | "queued";

/** Options of one send. */
export interface SendOptions {
  /** Ends the wait for the outcome. A message that the client has written to the socket already may still arrive. */
  readonly signal?: AbortSignal;
}

/** Events of a page: its network is back; it goes into the back-forward cache, or is unloaded; it is shown again. */
const PAGE_EVENTS = ["online", "pagehide", "pageshow"];

/**
 * A client of the relay, made by `connect`.
 *
 * An app may ignore the promises that the methods return: an unhandled rejection of one of them does not end a process.
 *
 * An iterator over the client gives its messages from the first `next` on, until the client closes. The client
 * acknowledges a message to the relay when all its listeners have run and every open iterator has given the message; an
 * iterator over a room holds back only the messages of that room. So the slowest consumer sets the pace: when as many
 * messages are unacknowledged as a mailbox holds (`RELAY_MAX_MAILBOX_MESSAGES`), the relay refuses further ones, and
 * their senders get `too_slow`. `break` and `return()` drop the messages that the iterator still holds; call `return()`
 * on an iterator that is no longer used.
 *
 * @example
 * ```ts
 * for await (const { from, data } of relay) {
 *   show(from, data.text);
 *   if (data.text === "hello") break;
 * }
 * ```
 */
export class RelayClient<Data = unknown>
  extends Events<RelayClientEvents<Data>>
  implements AsyncIterable<RelayMessage<Data>, void>
{
  /**
   * Resolves with the first welcome. Rejects with a RelayError when the client closes before that: with the code of the
   * refusal, such as `unauthorized`, where the relay refused the client for good, and with `closed` otherwise.
   */
  readonly ready: Promise<void>;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #inbox = new Inbox<RelayMessage<Data>>(
    (message) => this.emit("message", message),
    (sequenceId) => this.#tell({ type: "sequenceAck", sequenceId }),
  );
  readonly #joined = new Set<string>();
  readonly #watched = new Set<string>();
  // The constructor sets both when it makes `ready`.
  #resolveReady!: () => void;
  #rejectReady!: (error: RelayError) => void;
  readonly #signal: AbortSignal | undefined;
  #id = "";

  /** Apps call `connect` instead. */
  constructor(url: string | URL, options: ConnectOptions) {
    super();
    // JavaScript lets pass what TypeScript refuses. With NaN as a delay, a client would reconnect without any.
    for (const [name, value] of Object.entries(options)) {
      if (/Ms$|^max/.test(name) && value !== undefined && !(value >= 0)) throw new RangeError(`${name} is ${value}`);
    }
    this.ready = ignorable(
      new Promise((resolve, reject) => {
        this.#resolveReady = resolve;
        this.#rejectReady = reject;
      }),
    );
    this.#connection = keepConnection(
      url,
      options,
      (frame, size) => this.#onFrame(frame, size),
      (ending, retryMs) => this.#onLost(ending, retryMs),
    );
    this.#requests = new Requests(this.#connection, options);
    this.#signal = options.signal;
    if (this.#signal?.aborted) {
      this.close();
    } else {
      this.#connection.connect();
      this.#switchListeners("addEventListener");
    }
  }

  /** This client's id; empty before the first welcome. The id changes when a session could not be resumed. */
  get id(): string {
    return this.#id;
  }

  /**
   * Sends data to one id. Without a connection, the data waits for the next one.
   *
   * @param data A JSON value, or bytes: an ArrayBuffer, a SharedArrayBuffer, or a view of either. Bytes arrive as a
   * Uint8Array. As in JSON.stringify, `toJSON` is called and undefined properties are left out. Every other value that
   *   JSON would change is refused with `bad_data`.
   * @returns The outcome.
   * @throws {RelayError} When the send fails: with the code of the relay's refusal, or with a code of the client.
   * @example
   * ```ts
   * const outcome = await relay.send("2", { text: "hello" }, { signal: AbortSignal.timeout(5000) });
   * show(outcome); // "delivered" or "queued"
   * ```
   */
  send(to: string, data: Data, { signal }: SendOptions = {}): Promise<SendOutcome> {
    // A send that did not fail has no other outcome.
    return this.#requests.ask({ type: "send", to }, ({ outcome }) => outcome as SendOutcome, data, signal);
  }

  /** Returns the room with this name. The client joins the room only when the room's `join` is called. */
  room(name: string): Room<Data> {
    const iterate = (): AsyncIterableIterator<RelayMessage<Data>, void> =>
      this.#inbox.iterate(({ room }) => room === name);
    return new Room<Data>(name, this, this.#requests, this.#joined, iterate);
  }

  /**
   * Watches the id: the client emits `presence` with the id's present state at once, and again whenever the id comes or
   * goes, also in later sessions. The latest call of `watch` and `unwatch` counts.
   *
   * @throws {RelayError} When the relay refuses the request, or the client is closed.
   * @example
   * ```ts
   * relay.on("presence", ({ id, room, event }) => {
   *   if (room === undefined) show(`${id} is ${event}`); // "online" or "offline"
   * });
   * await relay.watch("2");
   * ```
   */
  watch(id: string): Promise<void> {
    return subscribe(this.#watched, id, this.#requests.ask({ type: "watch", id }));
  }

  /** Ends `watch` for the id. @throws {RelayError} When the relay refuses the request, or the client is closed. */
  unwatch(id: string): Promise<void> {
    return unsubscribe(this.#watched, id, this.#requests.ask({ type: "unwatch", id }));
  }

  /**
   * Closes the client for good. Its session ends, so the id is free at once. Sends and commands without an outcome
   * reject with `closed`.
   */
  close(): void {
    this.#connection.close();
  }

  /** Iterates over the messages, from the first `next` on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RelayMessage<Data>, void> {
    return this.#inbox.iterate(() => true);
  }

  #onWelcome({ id, resumed, recovered, limits }: Welcome): void {
    this.#id = id;
    this.#inbox.restart(resumed);
    if (!resumed) {
      for (const room of this.#joined) this.#tell({ type: "join", room });
      for (const watched of this.#watched) this.#tell({ type: "watch", id: watched });
    }
    this.#requests.restart(resumed, limits);
    this.#resolveReady();
    this.emit("connected", { id, resumed, recovered });
  }

  /** Sends a frame that has no answer. */
  #tell(frame: ClientFrame): void {
    this.#connection.send(JSON.stringify(frame));
  }

  #onFrame(frame: RelayFrame, size: number): void {
    switch (frame.type) {
      case "welcome":
        this.#onWelcome(frame);
        break;
      case "message":
        this.#onMessage(frame, size);
        break;
      case "ack":
        this.#requests.onAck(frame);
        break;
      case "presence":
        this.#onPresence(frame);
        break;
      case "error":
        this.emit("error", toRelayError(frame.error));
        break;
    }
  }

  #onPresence({ id, room, event }: Extract<RelayFrame, { type: "presence" }>): void {
    // The relay took this client out of the room, because its new token does not grant it.
    if (id === this.#id && event === "left" && room) this.#joined.delete(room);
    this.emit("presence", { id, room, event });
  }

  #onMessage(frame: Extract<RelayFrame, { type: "message" }>, size: number): void {
    const { sequenceId, from, room, data, encoding } = frame;
    // The library does not check the data: `Data` is what the app's clients have agreed to send.
    const content = (encoding ? fromBase64(data as string) : data) as Data;
    this.#inbox.add(sequenceId, { from, room, data: content }, size);
  }

  #onLost(ending: Ending, retryMs: number | undefined): void {
    if (ending.code === RESTART_CODE) this.#requests.restart(true);
    if (retryMs !== undefined) {
      this.emit("disconnected", { ...ending, retryMs });
      return;
    }
    this.#switchListeners("removeEventListener");
    this.#inbox.close();
    const { code, reason, refusal = "closed" } = ending;
    // The type has the codes of this version; a later relay may send others.
    const error = new RelayError(
      refusal as RelayError["code"],
      `The client is closed: ${code} ${reason}`.trim(),
      false,
    );
    this.#rejectReady(error);
    this.#requests.rejectAll(error);
    this.emit("closed", ending);
  }

  #switchListeners(method: "addEventListener" | "removeEventListener"): void {
    this.#signal?.[method]("abort", this.#connection);
    for (const name of PAGE_EVENTS) globalThis[method]?.(name, this.#connection);
  }
}
