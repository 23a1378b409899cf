import { setTimeout as after } from "node:timers/promises";
import type { RawClient } from "../conformance/raw.ts";
import type { Server } from "../conformance/server.ts";

/** Pairs of clients that send to each other. */
const PAIRS = 50;
/** Messages a second of all clients together. */
const RATE = 1000;
const INTERVAL_MS = 1000 / RATE;
/** A message may be late during an attack. It counts as lost after this time. */
const PATIENCE_MS = 60_000;
const PADDING = "x".repeat(64);

interface PairedClient {
  readonly raw: RawClient;
  readonly partnerId: string;
  /** Count of its messages to its partner. */
  sent: number;
}

/** Latencies of messages in milliseconds, each from the time at which its sending was due. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
}

/** Well-behaved plain clients that send at a steady rate while others attack the relay. */
export class GoodPairs {
  readonly #clients: readonly PairedClient[];
  #gone = 0;

  private constructor(clients: readonly PairedClient[]) {
    this.#clients = clients;
    for (const { raw } of clients) raw.gone.then(() => this.#gone++);
  }

  /** Connects the pairs. */
  static async open(server: Server): Promise<GoodPairs> {
    const clients: PairedClient[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const [one, two] = [await server.connectRaw(), await server.connectRaw()];
      clients.push({ raw: one.raw, partnerId: two.id, sent: 0 }, { raw: two.raw, partnerId: one.id, sent: 0 });
    }
    return new GoodPairs(clients);
  }

  /** Count of the connections that have ended. */
  get gone(): number {
    return this.#gone;
  }

  /**
   * Sends at the steady rate for this many seconds, without waiting for earlier messages.
   *
   * @throws {Error} When a message doesn't arrive, or arrives twice or out of order.
   */
  async talk(seconds: number): Promise<Latencies> {
    const total = Math.round((seconds * RATE) / this.#clients.length) * this.#clients.length;
    const startMs = performance.now();
    const arrivals = this.#clients.map((client, index) => this.#receive(client, index ^ 1, startMs, total));
    // A rejection before the await below must not count as unhandled.
    for (const arrival of arrivals) arrival.catch(() => {});
    for (let next = 0; next < total; await after(5)) {
      for (; next < total && startMs + next * INTERVAL_MS <= performance.now(); next++) this.#send(next);
    }
    const latencies = (await Promise.all(arrivals)).flat().sort((one, other) => one - other);
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
  }

  /** Resets all connections. */
  reset(): void {
    for (const { raw } of this.#clients) raw.reset();
  }

  #send(next: number): void {
    const client = this.#clients[next % this.#clients.length];
    client?.raw.text(`${client.partnerId}:${client.sent++} ${PADDING}`);
  }

  /** Receives the partner's messages of one `talk`. @returns The latency of each. */
  async #receive({ raw }: PairedClient, partnerIndex: number, startMs: number, total: number): Promise<number[]> {
    const first = this.#clients[partnerIndex]?.sent ?? 0;
    const latencies: number[] = [];
    for (let round = 0; round < total / this.#clients.length; round++) {
      const message = String(await raw.next(PATIENCE_MS));
      const dueMs = startMs + (round * this.#clients.length + partnerIndex) * INTERVAL_MS;
      latencies.push(performance.now() - dueMs);
      if (message === `${first + round} ${PADDING}`) continue;
      throw new Error(`Expected message ${first + round} of client ${partnerIndex}, got ${message.slice(0, 80)}`);
    }
    return latencies;
  }
}

/** Formats latencies for people. */
export function describeLatencies({ p50, p99 }: Latencies): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}

function percentile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.floor(fraction * (sorted.length - 1))] ?? Number.NaN;
}
