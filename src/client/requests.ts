import type { ClientFrame, RelayFrame } from "../core/protocol/json-frames.ts";
import type { Welcome } from "./connection.ts";
import { spell } from "./data.ts";
import { ignorable, RelayError, toRelayError } from "./errors.ts";

export type Ack = Extract<RelayFrame, { type: "ack" }>;
type WithoutData<Frame> = Frame extends { ackId?: number | undefined }
  ? Omit<Frame, "data" | "encoding" | "ackId">
  : never;
/** A frame that asks for an ack, without its data. */
export type Request = WithoutData<ClientFrame>;

/** Bounds of the requests that wait for their outcome. */
export interface QueueOptions {
  /** Sends and commands that may wait for their outcome at a time; more fail with `queue_full`. Default: 10000. */
  readonly maxQueuedSends?: number;
  /** The same in bytes, counted as UTF-16 units of the frames' text. Default: 16777216. */
  readonly maxQueuedBytes?: number;
}

interface Waiting {
  readonly text: string;
  /** Whether it was written to this connection. */
  isWritten: boolean;
  /** Whether another session may be asked the same: true for all but sends and publishes. */
  readonly isRepeatable: boolean;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: RelayError) => void;
}

/** Requests that the relay has not answered yet, in order. No more are on their way than the relay remembers. */
export class Requests {
  readonly #write: (text: string) => boolean;
  readonly #options: QueueOptions;
  readonly #waiting = new Map<number, Waiting>();
  #bytes = 0;
  #lastAckId = 0;
  #onTheirWay = 0;
  /** Error of all requests once the client is closed. */
  #end: RelayError | undefined;
  #limits: Welcome["limits"] = { maxMessageBytes: 0, maxUnackedSends: 0 };

  constructor(write: (text: string) => boolean, options: QueueOptions) {
    this.#write = write;
    this.#options = options;
  }

  /**
   * Sends the frame when its turn comes. Resolves with the result of `read` for its ack; rejects with the coded error.
   *
   * @param data The data of a send or a publish.
   */
  ask(frame: Request): Promise<unknown>;
  ask<Result>(frame: Request, read: (ack: Ack) => Result, data?: unknown, signal?: AbortSignal): Promise<Result>;
  ask(frame: Request, read?: (ack: Ack) => unknown, data?: unknown, signal?: AbortSignal): Promise<unknown> {
    const ackId = ++this.#lastAckId;
    let abort = (): void => {};
    const answer = new Promise<Ack>((resolve, reject) => {
      const isRepeatable = !/^(send|publish)$/.test(frame.type);
      const fields = isRepeatable ? "" : spell(data);
      const text = `${JSON.stringify(frame).slice(0, -1)}${fields},"ackId":${ackId}}`;
      const { maxQueuedSends = 10_000, maxQueuedBytes = 16_777_216 } = this.#options;
      const { size } = this.#waiting;
      if (this.#end !== undefined) throw this.#end;
      // A single frame over the bound would never go, however long it waited.
      if (size >= maxQueuedSends || (size > 0 && this.#bytes + text.length > maxQueuedBytes)) {
        throw new RelayError("queue_full", `Cannot send: ${size} sends wait already`, true);
      }
      const waiting = { text, isWritten: false, isRepeatable, resolve, reject };
      this.#waiting.set(ackId, waiting);
      this.#bytes += text.length;
      abort = () => {
        // What is on its way keeps its place: the relay will answer it.
        if (!waiting.isWritten) this.#take(ackId);
        reject(new RelayError("aborted", "The signal was aborted", true));
      };
      if (signal?.aborted) abort();
      else this.#writeMore();
    });
    signal?.addEventListener("abort", abort);
    return ignorable(answer.then(read).finally(() => signal?.removeEventListener("abort", abort)));
  }

  /**
   * Writes to a new connection. What was written to an earlier one is asked again: the relay remembers the outcomes of
   * a session. In another session sends and publishes are given up, because they may have arrived; the rest is
   * harmless to repeat.
   */
  restart(isSameSession: boolean, limits: Welcome["limits"]): void {
    this.#limits = limits;
    this.#onTheirWay = 0;
    for (const [ackId, waiting] of this.#waiting) {
      if (waiting.isWritten && !waiting.isRepeatable && !isSameSession) {
        const message = "The session ended before the outcome came";
        this.#take(ackId)?.reject(new RelayError("connection_lost", message, true));
      }
      waiting.isWritten = false;
    }
    this.#writeMore();
  }

  answered(ack: Ack): void {
    const waiting = this.#take(ack.ackId);
    if (waiting === undefined) return;
    this.#onTheirWay--;
    // Asked twice because the first answer was lost: the first answer counts.
    const { error } = ack.original ?? ack;
    if (error === undefined) waiting.resolve({ ...ack, ...ack.original });
    else waiting.reject(toRelayError(error));
    this.#writeMore();
  }

  /** Rejects what waits, and all that is asked from now on. */
  rejectAll(error: RelayError): void {
    this.#end = error;
    for (const ackId of this.#waiting.keys()) this.#take(ackId)?.reject(error);
  }

  #take(ackId: number): Waiting | undefined {
    const waiting = this.#waiting.get(ackId);
    this.#waiting.delete(ackId);
    this.#bytes -= waiting?.text.length ?? 0;
    return waiting;
  }

  #writeMore(): void {
    const { maxMessageBytes, maxUnackedSends } = this.#limits;
    for (const [ackId, waiting] of this.#waiting) {
      if (waiting.isWritten) continue;
      if (this.#onTheirWay >= maxUnackedSends) return;
      const { text } = waiting;
      // The relay would close the connection for it. Most texts are too short to be worth counting.
      if (text.length * 3 > maxMessageBytes && new TextEncoder().encode(text).length > maxMessageBytes) {
        const message = `Cannot send more than ${maxMessageBytes} bytes`;
        this.#take(ackId)?.reject(new RelayError("too_large", message, false));
      } else {
        if (!this.#write(text)) return;
        waiting.isWritten = true;
        this.#onTheirWay++;
      }
    }
  }
}
