import type { RelayFrame } from "../core/protocol/json-frames.ts";
import { type Connection, type ConnectionOptions, keepConnection, type Welcome } from "./connection.ts";
import { fromBase64 } from "./data.ts";
import { ignorable, RelayError, toRelayError } from "./errors.ts";
import { type Ending, Events, type RelayClientEvents, type RelayMessage } from "./events.ts";
import { Inbox } from "./inbox.ts";
import { type Ack, type QueueOptions, Requests } from "./requests.ts";
import { Room } from "./room.ts";
import { drop, keep } from "./standing.ts";

/** Options of `connect`. */
export interface ConnectOptions extends ConnectionOptions, QueueOptions {
  /** Closes the client when it is aborted. With a signal that is aborted already the client never connects. */
  readonly signal?: AbortSignal;
}

/** Outcome of a send: `delivered` to the receiver's open connection, or `queued` for a receiver that is away. */
export type SendOutcome = "delivered" | "queued";

/** Options of one send. */
export interface SendOptions {
  /** Stops waiting for the outcome. A frame that is on its way already is not called back. */
  readonly signal?: AbortSignal;
}

/** The events of a page: its network is back, it goes into the back-forward cache, it comes out of it. */
const PAGE_EVENTS = ["online", "pagehide", "pageshow"];

/**
 * A client of the relay; made by `connect`.
 *
 * An app may ignore the promises that the methods return: a rejection that nobody handles ends no process.
 *
 * Iterating over the client gives its messages from the first `next` on, until it closes. The client acknowledges a
 * message to the relay when all listeners have heard it and every open iterator has given it; an iterator of a room
 * holds back the messages of that room alone. So the slowest consumer sets the pace: when a mailbox of messages waits
 * for it (`RELAY_MAX_MAILBOX_MESSAGES`), the relay refuses more, and senders get `too_slow`. `break` and `return()`
 * drop what was not taken; call `return()` on an iterator that is not used any more.
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
   * Resolves with the first welcome. Rejects when the client closes before: with the code of the refusal, such as
   * `unauthorized`, where the relay refused the client for good, and with `closed` otherwise.
   */
  readonly ready: Promise<void>;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #inbox = new Inbox<RelayMessage<Data>>(
    (message) => this.emit("message", message),
    (sequenceId) => this.#connection.send({ type: "sequenceAck", sequenceId }),
  );
  readonly #joined = new Set<string>();
  readonly #watched = new Set<string>();
  // Both are there once `ready` is.
  #resolveReady!: () => void;
  #rejectReady!: (error: RelayError) => void;
  readonly #signal: AbortSignal | undefined;
  #id = "";

  /** Use `connect`. */
  constructor(url: string | URL, options: ConnectOptions) {
    super();
    this.ready = ignorable(
      new Promise((resolve, reject) => {
        this.#resolveReady = resolve;
        this.#rejectReady = reject;
      }),
    );
    this.#requests = new Requests((text) => this.#connection.send(text), options);
    this.#connection = keepConnection(
      url,
      options,
      (frame) => this.#received(frame),
      (ending, retryMs) => this.#lost(ending, retryMs),
    );
    this.#signal = options.signal;
    if (this.#signal?.aborted) {
      this.close();
    } else {
      this.#connection.connect();
      this.#listen("addEventListener");
    }
  }

  /** This client's id; empty before the first welcome. It changes when a session could not be resumed. */
  get id(): string {
    return this.#id;
  }

  /**
   * Sends to one id. Waits for a connection where there is none.
   *
   * @param data A JSON value, or bytes: an ArrayBuffer, a SharedArrayBuffer, or a view of either. Bytes arrive as a
   *   Uint8Array. `toJSON` is called and undefined properties are left out, as JSON.stringify does it; every other
   *   value that JSON would change is refused with `bad_data`.
   * @returns What became of it.
   * @throws {RelayError} With the relay's code where it was refused.
   * @example
   * ```ts
   * const outcome = await relay.send("2", { text: "hello" }, { signal: AbortSignal.timeout(5000) });
   * show(outcome); // "delivered" or "queued"
   * ```
   */
  send(to: string, data: Data, { signal }: SendOptions = {}): Promise<SendOutcome> {
    const outcomeOf = ({ outcome }: Ack): SendOutcome => (outcome === "queued" ? "queued" : "delivered");
    return this.#requests.ask({ type: "send", to }, outcomeOf, data, signal);
  }

  /** Returns the room with this name. The client joins it when `join` is called, and again in each later session. */
  room(name: string): Room<Data> {
    const iterate = (): AsyncIterableIterator<RelayMessage<Data>, void> =>
      this.#inbox.iterate(({ room }) => room === name);
    return new Room<Data>(name, this, this.#requests, this.#joined, iterate);
  }

  /**
   * Reports as `presence` when the id comes and goes, and its present state at once. The latest call of `watch` and
   * `unwatch` decides, also in later sessions.
   *
   * @throws {RelayError}
   * @example
   * ```ts
   * relay.on("presence", ({ id, room, event }) => {
   *   if (room === undefined) show(`${id} is ${event}`); // "online" or "offline"
   * });
   * await relay.watch("2");
   * ```
   */
  watch(id: string): Promise<void> {
    return keep(this.#watched, id, this.#requests.ask({ type: "watch", id }));
  }

  /** Ends `watch`. @throws {RelayError} */
  unwatch(id: string): Promise<void> {
    return drop(this.#watched, id, this.#requests.ask({ type: "unwatch", id }));
  }

  /** Leaves for good: the id and its rooms are free at once, what waits for an outcome is rejected. */
  close(): void {
    this.#connection.close();
  }

  /** Gives the messages from the first `next` on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RelayMessage<Data>, void> {
    return this.#inbox.iterate(() => true);
  }

  #welcomed({ id, resumed, recovered, limits }: Welcome): void {
    this.#id = id;
    this.#inbox.restart(resumed);
    if (!resumed) {
      for (const room of this.#joined) this.#connection.send({ type: "join", room });
      for (const watched of this.#watched) this.#connection.send({ type: "watch", id: watched });
    }
    this.#requests.restart(resumed, limits);
    this.#resolveReady();
    this.emit("connected", { id, resumed, recovered });
  }

  #received(frame: RelayFrame): void {
    switch (frame.type) {
      case "welcome":
        this.#welcomed(frame);
        break;
      case "message":
        this.#deliver(frame);
        break;
      case "ack":
        this.#requests.answered(frame);
        break;
      case "presence":
        this.#reported(frame);
        break;
      case "error":
        this.emit("error", toRelayError(frame.error));
        break;
    }
  }

  #reported({ id, room, event }: Extract<RelayFrame, { type: "presence" }>): void {
    // The relay took this client out of the room, because its new token does not grant it.
    if (id === this.#id && event === "left" && room) this.#joined.delete(room);
    this.emit("presence", { id, room, event });
  }

  #deliver({ sequenceId, from, room, data, encoding }: Extract<RelayFrame, { type: "message" }>): void {
    // What others send is theirs to get right; the type says what was agreed on.
    const agreed = (encoding === undefined ? data : fromBase64(String(data))) as Data;
    this.#inbox.add(sequenceId, { from, room, data: agreed });
  }

  #lost(ending: Ending, retryMs: number | undefined): void {
    if (retryMs !== undefined) {
      this.emit("disconnected", { ...ending, retryMs });
      return;
    }
    this.#listen("removeEventListener");
    this.#inbox.close();
    const { code, reason, refusal = "closed" } = ending;
    // The relay's codes are those of the type; a later relay may have more.
    const error = new RelayError(
      refusal as RelayError["code"],
      `The client is closed: ${code} ${reason}`.trim(),
      false,
    );
    this.#rejectReady(error);
    this.#requests.rejectAll(error);
    this.emit("closed", ending);
  }

  #listen(how: "addEventListener" | "removeEventListener"): void {
    this.#signal?.[how]("abort", this.#connection);
    for (const name of PAGE_EVENTS) globalThis[how]?.(name, this.#connection);
  }
}
