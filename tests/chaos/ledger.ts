/** Messages of one sender to one receiver, by number. */
interface Pair {
  sent: number;
  readonly acknowledged: Set<number>;
  /** Messages that the relay has said it did not deliver. */
  readonly refused: Set<number>;
  /** In the order of arrival. */
  readonly received: number[];
  /** Count of the settled messages that `forget` has dropped. */
  forgotten: number;
}

/** Record of the messages between clients: sent, acknowledged, refused and received. */
export class Ledger {
  readonly #count: number;
  readonly #pairs: readonly Pair[];
  readonly #welcomed = new Set<number>();
  readonly #otherProblems: string[] = [];
  /** Counts of refusals, by code. */
  readonly #refusals = new Map<string, number>();
  #disconnects = 0;
  #resumes = 0;
  #freshSessions = 0;
  #unrecovered = 0;

  /** @param count Count of the clients, which are numbered from 0. */
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

  /** Records a send. @returns The message's number: 1, 2, 3 … for each pair. */
  recordSend(from: number, to: number): number {
    return ++this.#pair(from, to).sent;
  }

  recordAck(from: number, to: number, number: number): void {
    this.#pair(from, to).acknowledged.add(number);
  }

  recordRefusal(from: number, to: number, number: number, code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    // With these two codes the outcome is unknown. With any other code the relay did not deliver the message.
    if (code !== "connection_lost" && code !== "closed") this.#pair(from, to).refused.add(number);
  }

  recordArrival(from: number, to: number, number: number): void {
    this.#pair(from, to).received.push(number);
  }

  /** Records a welcome. A client's first one is its connect; each later one is a reconnect. */
  recordWelcome(
    client: number,
    { resumed, recovered }: { readonly resumed: boolean; readonly recovered: boolean },
  ): void {
    if (!this.#welcomed.has(client)) {
      this.#welcomed.add(client);
      return;
    }
    if (resumed) this.#resumes++;
    else this.#freshSessions++;
    if (!recovered) this.#unrecovered++;
  }

  recordDisconnect(): void {
    this.#disconnects++;
  }

  /** Records a problem. */
  addProblem(problem: string): void {
    this.#otherProblems.push(problem);
  }

  /** Whether the last message of each pair has arrived. */
  get haveLastMessagesArrived(): boolean {
    return this.#pairs.every(({ sent, received }) => received.at(-1) === (sent === 0 ? undefined : sent));
  }

  /** Returns whether every acknowledged message to this client has arrived. */
  haveAllArrivedAt(client: number): boolean {
    return this.#pairs.every(({ acknowledged, received }, index) => {
      if (index % this.#count !== client || acknowledged.size === 0) return true;
      const numbers = new Set(received);
      return [...acknowledged].every((number) => numbers.has(number));
    });
  }

  /** Drops each pair's first messages that were acknowledged and received in order: a long run must fit in memory. */
  forget(): void {
    for (const pair of this.#pairs) {
      const { acknowledged, received } = pair;
      let settled = 0;
      // The last message stays, to check that the next one is in order.
      for (; settled < received.length - 1; settled++) {
        const [number = 0, next = 0] = received.slice(settled, settled + 2);
        if (number >= next || !acknowledged.delete(number)) break;
      }
      received.splice(0, settled);
      pair.forgotten += settled;
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

  /** Returns a sentence for each broken promise. */
  problems(): string[] {
    const problems = [...this.#otherProblems];
    if (this.#freshSessions > 0) problems.push(`${this.#freshSessions} sessions could not be resumed`);
    if (this.#unrecovered > 0) problems.push(`${this.#unrecovered} resumes said that messages were lost`);
    this.#pairs.forEach((pair, index) => {
      const title = `From client ${Math.floor(index / this.#count)} to ${index % this.#count}:`;
      const received = new Set(pair.received);
      const missing = [...pair.acknowledged].filter((number) => !received.has(number));
      const unsent = [...pair.refused].filter((number) => received.has(number));
      const misplaced = pair.received.findIndex((number, at) => at > 0 && number <= (pair.received[at - 1] ?? 0));
      if (missing.length > 0) problems.push(`${title} acknowledged but not received: ${missing.join(", ")}`);
      if (unsent.length > 0) problems.push(`${title} refused but received: ${unsent.join(", ")}`);
      if (misplaced > 0) {
        const around = pair.received.slice(misplaced - 2, misplaced + 3);
        problems.push(`${title} received twice or out of order: ${around.join(", ")}`);
      }
    });
    return problems;
  }

  /** Returns the counts in one line. */
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

  #total(countOf: (pair: Pair) => number): number {
    return this.#pairs.reduce((sum, pair) => sum + countOf(pair), 0);
  }

  #pair(from: number, to: number): Pair {
    const pair = this.#pairs[from * this.#count + to];
    if (pair === undefined)
      throw new RangeError(`Cannot find the pair ${from}, ${to}: there are ${this.#count} clients`);
    return pair;
  }
}
