import type { JsonClient } from "./json-client.ts";

/** Unacknowledged sends that a client keeps in flight. */
const IN_FLIGHT = 10;

/** Client that sends to others as fast as the relay acknowledges, and records every delivery. */
export class BusySender {
  readonly id: string;
  /** Messages that the relay acknowledged as delivered, each with its recipient. */
  readonly delivered: { readonly to: string; readonly mark: string }[] = [];
  readonly received = new Set<unknown>();
  /** Resolves when the connection has ended and every frame from it was read. */
  readonly ended: Promise<void>;
  onAck = (): void => {};
  readonly #client: JsonClient;
  /** Recipients of the sends in flight, by `ackId`. */
  readonly #inFlight = new Map<unknown, string>();
  #others: readonly string[] = [];
  #sent = 0;

  constructor(client: JsonClient) {
    this.#client = client;
    this.id = client.id;
    this.ended = this.#read();
  }

  start(others: readonly string[]): void {
    this.#others = others;
    for (let count = 0; count < IN_FLIGHT; count++) this.#send();
  }

  #send(): void {
    const to = this.#others[this.#sent % this.#others.length] ?? "";
    const ackId = ++this.#sent;
    this.#inFlight.set(ackId, to);
    this.#client.send({ type: "send", to, data: `${this.id} ${ackId}`, ackId });
  }

  async #read(): Promise<void> {
    for (;;) {
      const frame = await this.#client.next().catch(() => undefined);
      if (frame === undefined) return;
      if (frame.type === "message") this.received.add(frame.data);
      if (frame.type !== "ack") continue;
      const to = this.#inFlight.get(frame.ackId);
      this.#inFlight.delete(frame.ackId);
      if (to !== undefined && frame.outcome === "delivered") {
        this.delivered.push({ to, mark: `${this.id} ${frame.ackId}` });
      }
      this.onAck();
      this.#send();
    }
  }
}
