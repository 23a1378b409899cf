import type { LogLine } from "../../tests/conformance/process.ts";
import { type Inbox, until } from "../../tests/conformance/wait.ts";

const FOREVER_MS = 2 ** 31 - 1;

/** What the relay's log tells, read as it is written. */
export class Journal {
  /** Sessions that began and have not ended. */
  readonly sessions = new Set<string>();
  /** What the relay itself calls an error. */
  readonly errors: string[] = [];
  /** The line with which it shuts down, when it has come. */
  shutdown: LogLine | undefined;
  readonly #ended: Promise<void>;

  constructor(log: Inbox<LogLine>) {
    this.#ended = this.#read(log);
  }

  /** Waits until every session has ended. @throws {Error} When some have not within 10 s. */
  allLeft(): Promise<void> {
    return until(async () => this.sessions.size === 0, "every session to end");
  }

  /** Waits for the end of the log. */
  ended(): Promise<void> {
    return this.#ended;
  }

  async #read(log: Inbox<LogLine>): Promise<void> {
    for (;;) {
      // It ends with the process.
      const line = await log.next("a line of the log", FOREVER_MS).catch(() => undefined);
      if (line === undefined) return;
      const { id, level, message } = line;
      if (id !== undefined && message.startsWith("connected")) this.sessions.add(id);
      if (id !== undefined && message.startsWith("left")) this.sessions.delete(id);
      if (message.startsWith("shutting down")) this.shutdown = line;
      if (level === "ERROR" || level === "FATAL") this.errors.push(JSON.stringify(line));
    }
  }
}
