import { connect, type RelayClient, RelayError } from "hono-relay/client";
import { WebSocket } from "ws";
import { within } from "../conformance/wait.ts";
import { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";

const SEND_EVERY_MS = 10;
/** A participant with this many unanswered sends makes no more of them. */
const MAX_UNANSWERED = 100;
const MAX_CHARACTERS = 20_000;
const SETTLE_PATIENCE_MS = 30_000;

interface Payload {
  readonly number: number;
  readonly padding: string;
}

interface Participant {
  /** Number in the ledger. */
  readonly index: number;
  readonly client: RelayClient<Payload>;
  /** Count of its sends that the relay has not answered. */
  unanswered: number;
}

/** Clients of the library that send to each other, and the ledger of their messages. */
export class Fleet {
  readonly ledger: Ledger;
  readonly #random: Random;
  readonly #participants: readonly Participant[];
  #timers: ReturnType<typeof setInterval>[] = [];
  #onChange = (): void => {};

  constructor(port: number, count: number, random: Random) {
    this.#random = random;
    this.ledger = new Ledger(count);
    this.#participants = Array.from({ length: count }, (_, index) => this.#connect(port, index));
  }

  /** Waits until every client has an id. */
  async ready(): Promise<void> {
    await within(Promise.all(this.#participants.map(({ client }) => client.ready)), "every client's first welcome");
  }

  /** Makes every client send to random others, until `settle`. */
  startSending(): void {
    this.#timers = this.#participants.map((participant) =>
      setInterval(() => {
        if (participant.unanswered < MAX_UNANSWERED) this.#send(participant, this.#pickOther(participant));
      }, SEND_EVERY_MS),
    );
  }

  /**
   * Stops sending, and waits for the answers. Then each client sends to each other one, and all of that arrives.
   *
   * @throws {Error} When an answer or a message doesn't arrive.
   */
  async settle(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const areAllAnswered = (): boolean => this.#participants.every(({ unanswered }) => unanswered === 0);
    await this.#until(areAllAnswered, "an answer to each send");
    for (const from of this.#participants) {
      for (const to of this.#participants) if (from !== to) this.#send(from, to);
    }
    await this.#until(areAllAnswered, "an answer to each last send");
    await this.#until(() => this.ledger.haveLastMessagesArrived, "each client's last message to each other");
  }

  /** Closes every client. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { client } of this.#participants) client.close();
  }

  #connect(port: number, index: number): Participant {
    const client = connect<Payload>(`ws://127.0.0.1:${port}/ws`, {
      WebSocket,
      minDelayMs: 50,
      maxDelayMs: 500,
      connectTimeoutMs: 1000,
    });
    const { ledger } = this;
    client.on("connected", (event) => ledger.recordWelcome(index, event));
    client.on("disconnected", () => ledger.recordDisconnect());
    client.on("closed", ({ code, reason }) =>
      ledger.addProblem(`Client ${index} was closed for good: ${code} ${reason}`),
    );
    client.on("error", ({ code, message }) => ledger.addProblem(`Client ${index} was told ${code}: ${message}`));
    client.on("message", ({ from, data }) => {
      const sender = this.#participants.findIndex((participant) => participant.client.id === from);
      if (sender < 0) ledger.addProblem(`Client ${index} got a message from the unknown id ${from}`);
      else ledger.recordArrival(sender, index, data.number);
      this.#onChange();
    });
    return { index, client, unanswered: 0 };
  }

  #send(from: Participant, to: Participant): void {
    const number = this.ledger.recordSend(from.index, to.index);
    const padding = "x".repeat(this.#random.spread(1, MAX_CHARACTERS) - 1);
    from.unanswered++;
    from.client
      .send(to.client.id, { number, padding })
      .then(
        () => this.ledger.recordAck(from.index, to.index, number),
        (error: unknown) => {
          if (!(error instanceof RelayError)) throw error;
          this.ledger.recordRefusal(from.index, to.index, number, error.code);
        },
      )
      .finally(() => {
        from.unanswered--;
        this.#onChange();
      });
  }

  #pickOther(participant: Participant): Participant {
    const step = 1 + this.#random.below(this.#participants.length - 1);
    return this.#participants[(participant.index + step) % this.#participants.length] ?? participant;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const met = new Promise<void>((resolve) => {
      this.#onChange = () => {
        if (condition()) resolve();
      };
      this.#onChange();
    });
    await within(met, what, SETTLE_PATIENCE_MS);
  }
}
