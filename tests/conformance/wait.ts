/** How long a test waits for what must come. Only a failing test waits that long. */
export const PATIENCE_MS = 10_000;

/**
 * The promise, or a rejection that says what was awaited in vain.
 *
 * @param what Ends the sentence "Waited … ms for".
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

/** Asks again and again until it is so: for what no event tells of. */
export async function until(
  isSo: () => Promise<boolean>,
  what: string,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited ${patienceMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What has come and was not looked at yet, in order; and whoever waits for the next. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #waiting: { readonly resolve: (item: T) => void; readonly reject: (error: Error) => void } | undefined;
  #end: string | undefined;

  push(item: T): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#items.push(item);
    else waiting.resolve(item);
  }

  /** Nothing comes any more: who waits, now or later, is told why. */
  end(why: string): void {
    this.#end ??= why;
    this.#waiting?.reject(new Error(`Waited for the next item, but ${this.#end}`));
    this.#waiting = undefined;
  }

  /** Takes the next item, from those that have come or as soon as it comes. */
  next(what: string, patienceMs?: number): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#end !== undefined) return Promise.reject(new Error(`Waited for ${what}, but ${this.#end}`));
    const coming = new Promise<T>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    return within(coming, what, patienceMs);
  }

  /** Takes items until one fits, and leaves out those before it. */
  async find(fits: (item: T) => boolean, what: string, patienceMs?: number): Promise<T> {
    for (;;) {
      const item = await this.next(what, patienceMs);
      if (fits(item)) return item;
    }
  }

  /** How many have come and were not taken. */
  get size(): number {
    return this.#items.length;
  }
}
