import { connect, type RelayClient, RelayError } from "hono-relay/client";
import { WebSocket } from "ws";
import { within } from "../conformance/wait.ts";
import { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";

const SEND_EVERY_MS = 10;
/** A client that cannot send waits with more. */
const MOST_UNANSWERED = 100;
const LARGE_CHARACTERS = 20_000;
const SETTLE_PATIENCE_MS = 30_000;

interface Letter {
  readonly number: number;
  readonly padding: string;
}

interface Sailor {
  readonly index: number;
  readonly client: RelayClient<Letter>;
  unanswered: number;
}

/** Clients with the library that write to each other, and the book of what they sent, were told and received. */
export class Fleet {
  readonly ledger: Ledger;
  readonly #random: Random;
  readonly #sailors: readonly Sailor[];
  #timers: ReturnType<typeof setInterval>[] = [];
  #changed = (): void => {};

  constructor(port: number, count: number, random: Random) {
    this.#random = random;
    this.ledger = new Ledger(count);
    this.#sailors = Array.from({ length: count }, (_, index) => this.#enlist(port, index));
  }

  /** Everybody has an id. */
  async ready(): Promise<void> {
    await within(Promise.all(this.#sailors.map(({ client }) => client.ready)), "every client's first welcome");
  }

  /** Everybody writes to somebody, all the time. */
  sail(): void {
    this.#timers = this.#sailors.map((sailor) =>
      setInterval(() => {
        if (sailor.unanswered < MOST_UNANSWERED) this.#write(sailor, this.#somebodyElse(sailor));
      }, SEND_EVERY_MS),
    );
  }

  /** Nobody writes any more, until all is answered; then everybody writes to everybody once, and all of that arrives. */
  async settle(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#until(() => this.#sailors.every(({ unanswered }) => unanswered === 0), "an answer to each send");
    for (const from of this.#sailors) for (const to of this.#sailors) if (from !== to) this.#write(from, to);
    await this.#until(() => this.#sailors.every(({ unanswered }) => unanswered === 0), "an answer to each last send");
    await this.#until(() => this.ledger.lastsArrived, "the last message of each to each");
  }

  /** Everybody leaves for good. */
  disband(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { client } of this.#sailors) client.close();
  }

  #enlist(port: number, index: number): Sailor {
    const client = connect<Letter>(`ws://127.0.0.1:${port}/ws`, {
      WebSocket,
      minDelayMs: 50,
      maxDelayMs: 500,
      connectTimeoutMs: 1000,
    });
    const { ledger } = this;
    client.on("connected", (event) => ledger.connected(index, event));
    client.on("disconnected", () => ledger.disconnected());
    client.on("closed", ({ code, reason }) =>
      ledger.complain(`Client ${index} was closed for good: ${code} ${reason}`),
    );
    client.on("error", ({ code, message }) => ledger.complain(`Client ${index} was told ${code}: ${message}`));
    client.on("message", ({ from, data }) => {
      const sender = this.#sailors.findIndex((sailor) => sailor.client.id === from);
      if (sender < 0) ledger.complain(`Client ${index} got a message from ${from}, who is nobody`);
      else ledger.received(sender, index, data.number);
      this.#changed();
    });
    return { index, client, unanswered: 0 };
  }

  #write(from: Sailor, to: Sailor): void {
    const number = this.ledger.sent(from.index, to.index);
    const padding = "x".repeat(this.#random.spread(1, LARGE_CHARACTERS) - 1);
    from.unanswered++;
    from.client
      .send(to.client.id, { number, padding })
      .then(
        () => this.ledger.acknowledged(from.index, to.index, number),
        (error: unknown) => {
          if (!(error instanceof RelayError)) throw error;
          this.ledger.refused(from.index, to.index, number, error.code);
        },
      )
      .finally(() => {
        from.unanswered--;
        this.#changed();
      });
  }

  #somebodyElse(sailor: Sailor): Sailor {
    const step = 1 + this.#random.below(this.#sailors.length - 1);
    return this.#sailors[(sailor.index + step) % this.#sailors.length] ?? sailor;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const met = new Promise<void>((resolve) => {
      this.#changed = () => {
        if (condition()) resolve();
      };
      this.#changed();
    });
    await within(met, what, SETTLE_PATIENCE_MS);
  }
}
