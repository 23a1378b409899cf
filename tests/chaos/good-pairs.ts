import { setTimeout as after } from "node:timers/promises";
import type { RawClient } from "../conformance/raw.ts";
import type { Server } from "../conformance/server.ts";

/** Pairs, of which each end writes to the other. */
const PAIRS = 50;
/** Messages a second, of all together. */
const RATE = 1000;
const INTERVAL_MS = 1000 / RATE;
/** A message may be late beside an attack, and is lost only when it does not come at all. */
const PATIENCE_MS = 60_000;
const PADDING = "x".repeat(64);

interface Good {
  readonly raw: RawClient;
  readonly partnerId: string;
  /** Messages to its partner so far. */
  sent: number;
}

/** How long messages took, in milliseconds, from when each was due. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
}

/** Plain clients that keep a steady pace and do nothing wrong, whatever the relay suffers from others. */
export class GoodPairs {
  readonly #clients: readonly Good[];
  #gone = 0;

  private constructor(clients: readonly Good[]) {
    this.#clients = clients;
    for (const { raw } of clients) raw.gone.then(() => this.#gone++);
  }

  /** Connects them. */
  static async open(server: Server): Promise<GoodPairs> {
    const clients: Good[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const [one, two] = [await server.connectRaw(), await server.connectRaw()];
      clients.push({ raw: one.raw, partnerId: two.id, sent: 0 }, { raw: two.raw, partnerId: one.id, sent: 0 });
    }
    return new GoodPairs(clients);
  }

  /** How many of the connections have ended. */
  get gone(): number {
    return this.#gone;
  }

  /**
   * Sends at the pace for so long, whatever became of the messages before.
   *
   * @throws {Error} When one of them does not arrive, or arrives twice or out of order.
   */
  async talk(seconds: number): Promise<Latencies> {
    const total = Math.round((seconds * RATE) / this.#clients.length) * this.#clients.length;
    const startMs = performance.now();
    const arrivals = this.#clients.map((client, index) => this.#listen(client, index ^ 1, startMs, total));
    // What fails while messages are still sent must wait for its await without being reported as nobody's.
    for (const arrival of arrivals) arrival.catch(() => {});
    for (let next = 0; next < total; await after(5)) {
      for (; next < total && startMs + next * INTERVAL_MS <= performance.now(); next++) this.#send(next);
    }
    const latencies = (await Promise.all(arrivals)).flat().sort((one, other) => one - other);
    return { p50: at(latencies, 0.5), p99: at(latencies, 0.99) };
  }

  /** Everybody leaves. */
  end(): void {
    for (const { raw } of this.#clients) raw.reset();
  }

  #send(next: number): void {
    const client = this.#clients[next % this.#clients.length];
    client?.raw.text(`${client.partnerId}:${client.sent++} ${PADDING}`);
  }

  /** Takes all that the partner sends in one talk. @returns How long each took. */
  async #listen({ raw }: Good, partnerIndex: number, startMs: number, total: number): Promise<number[]> {
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

/** In milliseconds, for people. */
export function describeLatencies({ p50, p99 }: Latencies): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}
