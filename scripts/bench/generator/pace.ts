import type { Client } from "./client.ts";

/** Waits this many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The slowest servers need 10 s for what is in flight with messages of 1 MiB. */
const SETTLE_LIMIT_MS = 30_000;

/** Waits until the count is 0. @throws {Error} When it is not within 30 s. */
export async function untilNone(countOutstanding: () => number, what: string): Promise<void> {
  const start = performance.now();
  while (countOutstanding() > 0) {
    if (performance.now() - start > SETTLE_LIMIT_MS) {
      throw new Error(`${countOutstanding()} ${what} did not arrive within ${SETTLE_LIMIT_MS / 1000} s`);
    }
    await sleep(10);
  }
}

export interface Pace {
  /** Messages a second of all clients together. */
  readonly rate: number;
  readonly seconds: number;
}

/** Seconds after which an open end counts as a server that never finishes. */
const MAX_OPEN_SECONDS = 300;

/** Messages in flight at which the server has fallen behind for good. */
const MAX_IN_FLIGHT = 200_000;

/** Result of a paced run, in milliseconds. */
export interface PacedRun {
  /** Latency of each message that arrived, from its due time. */
  readonly latencies: Float64Array;
  /** Delay of each sent message, from its due time to its sending: the generator's own part of the latency. */
  readonly delays: Float64Array;
  /** Part of the time in which the generator did something, in percent. It spins in the rest. */
  readonly busyPercent: number;
}

/**
 * Clients in pairs that send at fixed times, without waiting for earlier messages (an open loop).
 *
 * A latency starts when the sending was due, so that a stall of the server counts for every message that it delays.
 */
export class Pacer {
  readonly #clients: readonly Client[];
  /** Due times of the messages in flight, by receiver. A ring allocates nothing during a run. */
  readonly #due: readonly Ring[];
  readonly #activity: { readonly events: number };
  #latencies = new Float64Array();
  #arrivals = 0;
  #inFlight = 0;

  /** @param activity Counts what happens on all wires of the generator. */
  constructor(clients: readonly Client[], messageBytes: number, activity: { readonly events: number }) {
    this.#clients = clients;
    this.#activity = activity;
    this.#due = clients.map(() => new Ring());
    const message = "x".repeat(messageBytes);
    clients.forEach((client, i) => {
      const other = clients[i ^ 1];
      const due = this.#due[i];
      if (other === undefined || due === undefined) {
        throw new RangeError(`Cannot pair ${clients.length} clients: the number is odd`);
      }
      client.aim({ to: other.index, from: other.index, message, maxInWrite: 1 });
      client.onMessages = (_client, messages) => this.#onArrival(due, messages);
    });
  }

  /** Sends at this rate. @throws {Error} When the server falls behind by 200,000 messages. */
  async run({ rate, seconds }: Pace): Promise<PacedRun> {
    const { delays, busyPercent } = await this.#send(rate, Math.floor(rate * seconds), () => false);
    return { latencies: this.#latencies.slice(0, this.#arrivals), delays, busyPercent };
  }

  /**
   * Sends at this rate until the promise is settled, and waits for the messages in flight: those that were held up
   * longest count too. @throws {Error} When the server falls behind by 200,000 messages, or the promise is rejected.
   */
  async runUntil(end: Promise<unknown>, rate: number): Promise<PacedRun> {
    let isOver = false;
    const over = end.finally(() => {
      isOver = true;
    });
    const [{ delays, busyPercent }] = await Promise.all([
      this.#send(rate, rate * MAX_OPEN_SECONDS, () => isOver),
      over,
    ]);
    await this.settle();
    return { latencies: this.#latencies.slice(0, this.#arrivals), delays, busyPercent };
  }

  /** Waits until every message has arrived. @throws {Error} When one has not within 30 s. */
  settle(): Promise<void> {
    return untilNone(() => this.#inFlight, "messages");
  }

  /** Sends this many messages, or fewer when it is over before. */
  async #send(rate: number, total: number, isOver: () => boolean): Promise<Omit<PacedRun, "latencies">> {
    const delays = new Float64Array(total);
    this.#latencies = new Float64Array(total + this.#inFlight);
    this.#arrivals = 0;
    const start = performance.now();
    let sent = 0;
    let idleMs = 0;
    await new Promise<void>((resolve, reject) => {
      const intervalMs = 1000 / rate;
      let latestTurn = start;
      /** Count of events and of sent messages at the latest turn. */
      let done = this.#activity.events;
      const turn = (): void => {
        const now = performance.now();
        if (this.#activity.events + sent === done) idleMs += now - latestTurn;
        latestTurn = now;
        done = this.#activity.events + sent;
        for (; sent < total && start + sent * intervalMs <= now; sent++) {
          const i = sent % this.#clients.length;
          const due = start + sent * intervalMs;
          this.#due[i ^ 1]?.push(due);
          this.#clients[i]?.send(1);
          delays[sent] = performance.now() - due;
          this.#inFlight++;
        }
        if (sent >= total || isOver()) resolve();
        else if (this.#inFlight > MAX_IN_FLIGHT)
          reject(new Error(`The server does not keep up with ${Math.round(rate)} messages/s`));
        // A timer would fire too late and too rarely; the generator may keep its core busy.
        else setImmediate(turn);
      };
      turn();
    });
    return { delays: delays.slice(0, sent), busyPercent: 100 * (1 - idleMs / (performance.now() - start)) };
  }

  #onArrival(due: Ring, messages: number): void {
    const now = performance.now();
    this.#inFlight -= messages;
    for (let i = 0; i < messages; i++) this.#latencies[this.#arrivals++] = now - due.shift();
  }
}

/** Queue of numbers that doubles its capacity when it is full. */
class Ring {
  #values = new Float64Array(64);
  #first = 0;
  #count = 0;

  push(value: number): void {
    if (this.#count === this.#values.length) this.#grow();
    this.#values[(this.#first + this.#count++) & (this.#values.length - 1)] = value;
  }

  /** Removes and returns the oldest number; NaN where there is none. */
  shift(): number {
    if (this.#count === 0) return Number.NaN;
    const value = this.#values[this.#first] ?? Number.NaN;
    this.#first = (this.#first + 1) & (this.#values.length - 1);
    this.#count--;
    return value;
  }

  #grow(): void {
    const grown = new Float64Array(this.#values.length * 2);
    for (let i = 0; i < this.#count; i++) grown[i] = this.#values[(this.#first + i) & (this.#values.length - 1)] ?? 0;
    this.#values = grown;
    this.#first = 0;
  }
}
