/** Longest that a test waits for an event. Only a failing test waits that long. */
export const PATIENCE_MS = 10_000;

/**
 * Waits for the promise, with a timeout.
 *
 * @param what Completes the sentence "Waited … ms for".
 * @throws {Error} When the timeout comes first.
 */
export async function within<T>(promise: Promise<T>, what: string, patienceMs: number = PATIENCE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    const error = new Error(`Waited ${patienceMs} ms for ${what}`);
    timer = setTimeout(() => reject(error), patienceMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls until the condition is true: for changes that no event announces. */
export async function until(
  condition: () => Promise<boolean>,
  what: string,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${patienceMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Queue of received items. One reader at a time takes the next item or waits for it. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #reader: { readonly resolve: (item: T) => void; readonly reject: (error: Error) => void } | undefined;
  #endReason: string | undefined;

  push(item: T): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) this.#items.push(item);
    else reader.resolve(item);
  }

  /** Ends the queue. A reader that waits for an item, now or later, gets an error with the reason. */
  end(reason: string): void {
    this.#endReason ??= reason;
    this.#reader?.reject(new Error(`Waited for the next item, but ${this.#endReason}`));
    this.#reader = undefined;
  }

  /** Takes the next item; waits for it where the queue is empty. */
  next(what: string, patienceMs?: number): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#endReason !== undefined) return Promise.reject(new Error(`Waited for ${what}, but ${this.#endReason}`));
    const nextPush = new Promise<T>((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
    return within(nextPush, what, patienceMs);
  }

  /** Takes the next item that matches, and drops those before it. */
  async find(matches: (item: T) => boolean, what: string, patienceMs?: number): Promise<T> {
    for (;;) {
      const item = await this.next(what, patienceMs);
      if (matches(item)) return item;
    }
  }

  /** Count of items that were not taken yet. */
  get size(): number {
    return this.#items.length;
  }
}
