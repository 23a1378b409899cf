import type { Client } from "./client.ts";

/** Waits so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until nothing is left of what is under way. @throws {Error} When something is after 10 s. */
export async function untilNone(left: () => number, what: string): Promise<void> {
  for (let waits = 0; left() > 0; waits++) {
    if (waits > 1000) throw new Error(`${left()} ${what} never arrived`);
    await sleep(10);
  }
}

export interface Pace {
  /** Messages a second, over all pairs together. */
  readonly rate: number;
  readonly seconds: number;
}

/** Messages under way at which the server has plainly lost its pace. */
const TOO_MANY = 200_000;

/** What a paced run saw, in milliseconds. */
export interface PacedRun {
  /** Of each message that arrived meanwhile, from when it was due until it arrived. */
  readonly latencies: Float64Array;
  /** Of each message sent, from when it was due until it was sent: what the generator itself adds to the latency. */
  readonly delays: Float64Array;
}

/**
 * Clients in pairs that send when their time has come, whatever became of the messages before (an open loop).
 *
 * A message's latency counts from when it was due, so that a server which stalls pays for all that it made wait.
 */
export class Pacer {
  readonly #clients: readonly Client[];
  /** When the messages on their way were due, in the order of each receiver; a ring, so that nothing is allocated meanwhile. */
  readonly #due: readonly Ring[];
  #latencies = new Float64Array();
  #arrivals = 0;
  #underWay = 0;

  constructor(clients: readonly Client[], messageBytes: number) {
    this.#clients = clients;
    this.#due = clients.map(() => new Ring());
    const message = "x".repeat(messageBytes);
    clients.forEach((client, i) => {
      const other = clients[i ^ 1];
      const due = this.#due[i];
      if (other === undefined || due === undefined) {
        throw new RangeError(`Cannot pair ${clients.length} clients: the number is odd`);
      }
      client.aim({ to: other.index, from: other.index, message, most: 1 });
      client.onMessages = (_client, messages) => this.#arrived(due, messages);
    });
  }

  /** Sends at this pace. @throws {Error} When the server falls behind by 200,000 messages. */
  async run({ rate, seconds }: Pace): Promise<PacedRun> {
    const total = Math.floor(rate * seconds);
    const delays = new Float64Array(total);
    this.#latencies = new Float64Array(total + this.#underWay);
    this.#arrivals = 0;
    await new Promise<void>((resolve, reject) => {
      const intervalMs = 1000 / rate;
      const start = performance.now();
      let sent = 0;
      const turn = (): void => {
        const now = performance.now();
        for (; sent < total && start + sent * intervalMs <= now; sent++) {
          const i = sent % this.#clients.length;
          const due = start + sent * intervalMs;
          this.#due[i ^ 1]?.push(due);
          this.#clients[i]?.send(1);
          delays[sent] = performance.now() - due;
          this.#underWay++;
        }
        if (sent >= total) resolve();
        else if (this.#underWay > TOO_MANY)
          reject(new Error(`The server does not keep up with ${Math.round(rate)} messages/s`));
        // A timer would wake too late and too seldom; the generator has a core of its own to wait on.
        else setImmediate(turn);
      };
      turn();
    });
    return { latencies: this.#latencies.slice(0, this.#arrivals), delays };
  }

  /** Waits until all that was sent has arrived. @throws {Error} When some has not within 10 s. */
  settle(): Promise<void> {
    return untilNone(() => this.#underWay, "messages");
  }

  #arrived(due: Ring, messages: number): void {
    const now = performance.now();
    this.#underWay -= messages;
    for (let i = 0; i < messages; i++) this.#latencies[this.#arrivals++] = now - due.shift();
  }
}

/** A queue of numbers that doubles when it is full. */
class Ring {
  #values = new Float64Array(64);
  #first = 0;
  #count = 0;

  push(value: number): void {
    if (this.#count === this.#values.length) this.#grow();
    this.#values[(this.#first + this.#count++) & (this.#values.length - 1)] = value;
  }

  /** The oldest; NaN where there is none. */
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
