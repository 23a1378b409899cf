/** What passed between one sender and one receiver. */
interface Pair {
  sent: number;
  readonly acknowledged: Set<number>;
  /** Told for certain that it was not delivered. */
  readonly refused: Set<number>;
  /** In order of arrival. */
  readonly received: number[];
  /** Messages that were forgotten: acknowledged, and received in order. */
  forgotten: number;
}

/** The book of who sent what to whom, what they were told of it, and what arrived. */
export class Ledger {
  readonly #count: number;
  readonly #pairs: readonly Pair[];
  readonly #welcomed = new Set<number>();
  readonly #complaints: string[] = [];
  readonly #refusals = new Map<string, number>();
  #disconnects = 0;
  #resumes = 0;
  #freshSessions = 0;
  #unrecovered = 0;

  /** @param count How many clients there are; they are numbered from 0. */
  constructor(count: number) {
    this.#count = count;
    this.#pairs = Array.from({ length: count * count }, () => ({
      sent: 0,
      acknowledged: new Set(),
      refused: new Set(),
      received: [],
      forgotten: 0,
    }));
  }

  /** @returns The message's number: 1, 2, 3 … for each pair. */
  sent(from: number, to: number): number {
    return ++this.#pair(from, to).sent;
  }

  acknowledged(from: number, to: number, number: number): void {
    this.#pair(from, to).acknowledged.add(number);
  }

  refused(from: number, to: number, number: number, code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    // Without the outcome nobody knows; with any other code the relay says that it was not sent.
    if (code !== "connection_lost" && code !== "closed") this.#pair(from, to).refused.add(number);
  }

  received(from: number, to: number, number: number): void {
    this.#pair(from, to).received.push(number);
  }

  connected(client: number, { resumed, recovered }: { readonly resumed: boolean; readonly recovered: boolean }): void {
    if (!this.#welcomed.has(client)) {
      this.#welcomed.add(client);
      return;
    }
    if (resumed) this.#resumes++;
    else this.#freshSessions++;
    if (!recovered) this.#unrecovered++;
  }

  disconnected(): void {
    this.#disconnects++;
  }

  /** Something happened that must not. */
  complain(what: string): void {
    this.#complaints.push(what);
  }

  /** Whether of each pair the last message has arrived. */
  get lastsArrived(): boolean {
    return this.#pairs.every(({ sent, received }) => received.at(-1) === (sent === 0 ? undefined : sent));
  }

  /** Whether all that was acknowledged to its senders has arrived at this client. */
  arrivedAt(client: number): boolean {
    return this.#pairs.every(({ acknowledged, received }, index) => {
      if (index % this.#count !== client || acknowledged.size === 0) return true;
      const numbers = new Set(received);
      return [...acknowledged].every((number) => numbers.has(number));
    });
  }

  /** Forgets the beginning of each pair as far as it is as it should be: a long run would fill the memory. */
  forget(): void {
    for (const pair of this.#pairs) {
      const { acknowledged, received } = pair;
      let done = 0;
      // The last one stays, to tell whether the next is in order.
      for (; done < received.length - 1; done++) {
        const [number = 0, next = 0] = received.slice(done, done + 2);
        if (number >= next || !acknowledged.delete(number)) break;
      }
      received.splice(0, done);
      pair.forgotten += done;
    }
  }

  get acknowledgedCount(): number {
    return this.#total((pair) => pair.acknowledged.size + pair.forgotten);
  }

  get receivedCount(): number {
    return this.#total((pair) => pair.received.length + pair.forgotten);
  }

  get resumes(): number {
    return this.#resumes;
  }

  /** A sentence for each promise that was broken. */
  problems(): string[] {
    const problems = [...this.#complaints];
    if (this.#freshSessions > 0) problems.push(`${this.#freshSessions} sessions could not be resumed`);
    if (this.#unrecovered > 0) problems.push(`${this.#unrecovered} times a resume said that something was lost`);
    this.#pairs.forEach((pair, index) => {
      const title = `From client ${Math.floor(index / this.#count)} to ${index % this.#count}:`;
      const received = new Set(pair.received);
      const missing = [...pair.acknowledged].filter((number) => !received.has(number));
      const unsent = [...pair.refused].filter((number) => received.has(number));
      const disorder = pair.received.findIndex((number, at) => at > 0 && number <= (pair.received[at - 1] ?? 0));
      if (missing.length > 0) problems.push(`${title} acknowledged, and never arrived: ${missing.join(", ")}`);
      if (unsent.length > 0) problems.push(`${title} refused, and arrived: ${unsent.join(", ")}`);
      if (disorder > 0) {
        problems.push(`${title} twice or out of order: ${pair.received.slice(disorder - 2, disorder + 3).join(", ")}`);
      }
    });
    return problems;
  }

  /** The counts, in one line. */
  toString(): string {
    const refusals = [...this.#refusals].map(([code, count]) => `${count} ${code}`).join(", ");
    return [
      `${this.#total((pair) => pair.sent)} sent`,
      `${this.acknowledgedCount} acknowledged`,
      `${this.receivedCount} received`,
      `refused: ${refusals === "" ? "none" : refusals}`,
      `${this.#disconnects} reconnects`,
      `${this.#resumes} resumes`,
      `${this.#freshSessions} fresh sessions`,
    ].join(", ");
  }

  #total(count: (pair: Pair) => number): number {
    return this.#pairs.reduce((sum, pair) => sum + count(pair), 0);
  }

  #pair(from: number, to: number): Pair {
    const pair = this.#pairs[from * this.#count + to];
    if (pair === undefined)
      throw new RangeError(`Cannot find the pair ${from}, ${to}: there are ${this.#count} clients`);
    return pair;
  }
}
