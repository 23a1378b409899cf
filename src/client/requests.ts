import type { ClientFrame, RelayFrame } from "../core/protocol/json-frames.ts";
import type { Connection, Welcome } from "./connection.ts";
import { encodeData, type FrameParts } from "./data.ts";
import { ignorable, RelayError, toRelayError } from "./errors.ts";

export type Ack = Extract<RelayFrame, { type: "ack" }>;
type WithoutData<Frame> = Frame extends { ackId?: number | undefined }
  ? Omit<Frame, "data" | "encoding" | "ackId">
  : never;
/** A frame that the relay answers with an ack, without its data. */
export type Request = WithoutData<ClientFrame>;

/** Bounds of the requests that have no outcome yet. */
export interface QueueOptions {
  /** Most sends and commands without an outcome at a time; further ones fail with `queue_full`. Default: 10000. */
  readonly maxQueuedSends?: number;
  /** Most UTF-16 units in the frames of these requests; further ones fail with `queue_full`. Default: 16777216. */
  readonly maxQueuedBytes?: number;
}

/** A request without an outcome. */
interface PendingRequest extends FrameParts {
  /** UTF-16 units of the parts, and bytes. */
  readonly size: number;
  /** Whether it was written to the present connection. */
  isWritten: boolean;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: RelayError) => void;
}

/**
 * Sends requests in order, and resolves each with its ack. The number of requests in flight is at most the number of
 * outcomes that the relay remembers (`maxUnackedSends`).
 */
export class Requests {
  readonly #connection: Connection;
  readonly #options: QueueOptions;
  readonly #pending = new Map<number, PendingRequest>();
  /** Size of the pending requests: UTF-16 units of their texts, and bytes. */
  #pendingSize = 0;
  #lastAckId = 0;
  /** Number of requests that were written to the present connection and not answered. */
  #inFlight = 0;
  /** Error of every request once the client is closed. */
  #closeError: RelayError | undefined;
  #limits: Welcome["limits"] = { maxMessageBytes: 0, maxUnackedSends: 0 };

  constructor(connection: Connection, options: QueueOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * Sends the request after the earlier ones.
   *
   * @param read Makes the result of the ack.
   * @param data The data of a send or a publish.
   * @returns The result of `read`.
   * @throws {RelayError} When the request fails.
   */
  ask(frame: Request): Promise<unknown>;
  ask<Result>(frame: Request, read: (ack: Ack) => Result, data?: unknown, signal?: AbortSignal): Promise<Result>;
  ask(frame: Request, read?: (ack: Ack) => unknown, data?: unknown, signal?: AbortSignal): Promise<unknown> {
    const ackId = ++this.#lastAckId;
    let abort = (): void => {};
    const answer = new Promise<Ack>((resolve, reject) => {
      const content = /^(send|publish)$/.test(frame.type) ? encodeData(data) : "";
      const start = JSON.stringify(frame).slice(0, -1);
      const end = `,"ackId":${ackId}}`;
      const size = start.length + content.length + end.length;
      const { maxQueuedSends = 10_000, maxQueuedBytes = 16_777_216 } = this.#options;
      const waiting = this.#pending.size;
      if (this.#closeError) throw this.#closeError;
      // An empty queue accepts a text of any length: waiting would not make a text over the bound fit.
      if (waiting >= maxQueuedSends || (waiting > 0 && this.#pendingSize + size > maxQueuedBytes)) {
        throw new RelayError("queue_full", `Cannot send: ${waiting} sends wait already`, true);
      }
      const request = { start, data: content, end, size, isWritten: false, resolve, reject };
      this.#pending.set(ackId, request);
      this.#pendingSize += size;
      abort = () => {
        // A request in flight stays pending, because the relay will answer it.
        if (!request.isWritten) this.#remove(ackId);
        reject(new RelayError("aborted", "The signal was aborted", true));
      };
      if (signal?.aborted) abort();
      else this.#writeMore();
    });
    signal?.addEventListener("abort", abort);
    return ignorable(answer.then(read).finally(() => signal?.removeEventListener("abort", abort)));
  }

  /**
   * Writes the pending requests to a new connection, or to the next one where there is none. In the same session all are
   * repeated, because the relay remembers their outcomes. In another session, sends and publishes that were written
   * before reject with `connection_lost`, because they may have arrived; the other requests are harmless to repeat.
   *
   * @param isRepeatable Whether the session is the same, or the relay has carried out no pending request.
   */
  restart(isRepeatable: boolean, limits: Welcome["limits"] = this.#limits): void {
    this.#limits = limits;
    this.#inFlight = 0;
    for (const [ackId, request] of this.#pending) {
      if (request.isWritten && request.data !== "" && !isRepeatable) {
        const message = "The session ended before the outcome came";
        this.#remove(ackId)?.reject(new RelayError("connection_lost", message, true));
      }
      request.isWritten = false;
    }
    this.#writeMore();
  }

  /** Settles the request that the relay has answered. */
  onAck(ack: Ack): void {
    const request = this.#remove(ack.ackId);
    if (!request) return;
    this.#inFlight--;
    // A repeated request, whose first ack was lost: the relay sends the first outcome as `original`.
    const { error } = ack.original ?? ack;
    if (!error) request.resolve({ ...ack, ...ack.original });
    else request.reject(toRelayError(error));
    this.#writeMore();
  }

  /** Rejects all pending requests, and all later ones. */
  rejectAll(error: RelayError): void {
    this.#closeError = error;
    for (const ackId of this.#pending.keys()) this.#remove(ackId)?.reject(error);
  }

  #remove(ackId: number): PendingRequest | undefined {
    const request = this.#pending.get(ackId);
    this.#pending.delete(ackId);
    this.#pendingSize -= request?.size ?? 0;
    return request;
  }

  #writeMore(): void {
    const { maxMessageBytes, maxUnackedSends } = this.#limits;
    for (const [ackId, request] of this.#pending) {
      if (request.isWritten) continue;
      if (this.#inFlight >= maxUnackedSends) return;
      const frame = this.#connection.pack(request);
      // The relay would close the connection for a frame over the limit. A UTF-16 unit is at most three bytes of UTF-8,
      // so the bytes of most texts need not be counted.
      if (frame.length * 3 > maxMessageBytes && new Blob([frame]).size > maxMessageBytes) {
        const message = `Cannot send more than ${maxMessageBytes} bytes`;
        this.#remove(ackId)?.reject(new RelayError("too_large", message, false));
      } else {
        if (!this.#connection.send(frame)) return;
        request.isWritten = true;
        this.#inFlight++;
      }
    }
  }
}
