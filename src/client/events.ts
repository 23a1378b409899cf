/** Listeners by the name of what they listen to. */
export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<(event: Map[Name]) => void> } = {};

  /** Calls the listener for each such event, until the function that is returned is called. */
  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void {
    const listeners = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Calls every listener. One that throws keeps no other from being called; its error is reported as uncaught. */
  protected emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    for (const listener of this.#listeners[name] ?? []) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** All events of one name from now on, in order, until `end` comes; none where it came before. */
  protected async *iterate<Name extends keyof Map>(
    name: Name,
    end: keyof Map,
    hasEnded: () => boolean,
  ): AsyncGenerator<Map[Name], void> {
    const waiting: Map[Name][] = [];
    let ended = hasEnded();
    let wake = (): void => {};
    const off = [
      this.on(name, (event) => {
        waiting.push(event);
        wake();
      }),
      this.on(end, () => {
        ended = true;
        wake();
      }),
    ];
    try {
      for (;;) {
        while (waiting.length > 0) yield waiting.shift() as Map[Name];
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      for (const stop of off) stop();
    }
  }
}
