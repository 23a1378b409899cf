import type { ClientFrame, RelayFrame } from "../core/protocol/json-frames.ts";
import type { Welcome } from "./connection.ts";
import { RelayError } from "./errors.ts";

export type Ack = Extract<RelayFrame, { type: "ack" }>;
/** A frame that asks for an ack. */
export type Request = Extract<ClientFrame, { ackId?: number | undefined }>;

interface Waiting {
  readonly text: string;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: RelayError) => void;
}

/** What was asked of the relay and not answered yet, in order. As many as the relay remembers are on their way at once. */
export class Requests {
  readonly #write: (text: string) => boolean;
  readonly #waiting = new Map<number, Waiting>();
  /** Those of `#waiting` that were not written to this connection, in order. */
  #unwritten = new Set<number>();
  #lastAckId = 0;
  #onTheirWay = 0;
  /** Why nothing will be answered any more. */
  #end: RelayError | undefined;
  #limits: Welcome["limits"] = { maxMessageBytes: 0, maxUnackedSends: 0 };

  constructor(write: (text: string) => boolean) {
    this.#write = write;
  }

  /** Sends the frame when its turn comes; resolves with its ack, rejects with the coded error. */
  ask(frame: Request, signal?: AbortSignal): Promise<Ack> {
    const ackId = ++this.#lastAckId;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        // What is on its way keeps its place: the relay will answer it.
        if (this.#unwritten.delete(ackId)) this.#waiting.delete(ackId);
        reject(new RelayError("aborted", "Cannot wait for the outcome: the signal was aborted", true));
      };
      if (this.#end !== undefined) return reject(this.#end);
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort);
      const settled = (): void => signal?.removeEventListener("abort", abort);
      this.#waiting.set(ackId, {
        text: JSON.stringify({ ...frame, ackId }),
        resolve: (ack) => {
          settled();
          resolve(ack);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#unwritten.add(ackId);
      this.#writeMore();
    });
  }

  /** A connection is there. What the relay may have had before is asked again where it remembers, and given up where not. */
  restart(isSameSession: boolean, limits: Welcome["limits"]): void {
    this.#limits = limits;
    this.#onTheirWay = 0;
    for (const [ackId, waiting] of this.#waiting) {
      if (isSameSession || this.#unwritten.has(ackId)) continue;
      this.#waiting.delete(ackId);
      waiting.reject(new RelayError("connection_lost", "The session ended before the outcome was known", true));
    }
    this.#unwritten = new Set(this.#waiting.keys());
    this.#writeMore();
  }

  answered(ack: Ack): void {
    const waiting = this.#waiting.get(ack.ackId);
    if (waiting === undefined) return;
    this.#waiting.delete(ack.ackId);
    this.#onTheirWay--;
    // Asked twice because the first answer was lost: the first answer counts.
    const { outcome, error, ...fields } = ack.original ?? ack;
    if (outcome === "failed" && error !== undefined) {
      waiting.reject(new RelayError(error.code, error.message, error.temporary));
    } else {
      waiting.resolve({ type: "ack", ackId: ack.ackId, outcome, ...fields });
    }
    this.#writeMore();
  }

  /** Nothing will be answered any more. */
  rejectAll(error: RelayError): void {
    this.#end = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#unwritten.clear();
  }

  #writeMore(): void {
    const { maxMessageBytes, maxUnackedSends } = this.#limits;
    for (const ackId of this.#unwritten) {
      const waiting = this.#waiting.get(ackId);
      if (this.#onTheirWay >= maxUnackedSends || waiting === undefined) return;
      // The relay would close the connection for it.
      if (isLonger(waiting.text, maxMessageBytes)) {
        const message = `Cannot send: the frame is over the relay's ${maxMessageBytes} bytes`;
        waiting.reject(new RelayError("too_large", message, false));
        this.#waiting.delete(ackId);
      } else if (this.#write(waiting.text)) {
        this.#onTheirWay++;
      } else {
        return;
      }
      this.#unwritten.delete(ackId);
    }
  }
}

function isLonger(text: string, maxBytes: number): boolean {
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}
