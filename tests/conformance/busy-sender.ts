import type { JsonClient } from "./json-client.ts";

/** Sends that a client has under way. */
const UNDER_WAY = 10;

/** A client that sends to others as fast as the relay acknowledges, and keeps the book. */
export class BusySender {
  readonly id: string;
  /** What the relay said was delivered, and to whom. */
  readonly delivered: { readonly to: string; readonly mark: string }[] = [];
  readonly received = new Set<unknown>();
  /** Resolves when the connection is over and all that came was read. */
  readonly ended: Promise<void>;
  onAck = (): void => {};
  readonly #client: JsonClient;
  readonly #underWay = new Map<unknown, string>();
  #others: readonly string[] = [];
  #sent = 0;

  constructor(client: JsonClient) {
    this.#client = client;
    this.id = client.id;
    this.ended = this.#read();
  }

  start(others: readonly string[]): void {
    this.#others = others;
    for (let count = 0; count < UNDER_WAY; count++) this.#send();
  }

  #send(): void {
    const to = this.#others[this.#sent % this.#others.length] ?? "";
    const ackId = ++this.#sent;
    this.#underWay.set(ackId, to);
    this.#client.send({ type: "send", to, data: `${this.id} ${ackId}`, ackId });
  }

  async #read(): Promise<void> {
    for (;;) {
      const frame = await this.#client.next().catch(() => undefined);
      if (frame === undefined) return;
      if (frame.type === "message") this.received.add(frame.data);
      if (frame.type !== "ack") continue;
      const to = this.#underWay.get(frame.ackId);
      this.#underWay.delete(frame.ackId);
      if (to !== undefined && frame.outcome === "delivered") {
        this.delivered.push({ to, mark: `${this.id} ${frame.ackId}` });
      }
      this.onAck();
      this.#send();
    }
  }
}
