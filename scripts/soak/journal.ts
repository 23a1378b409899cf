import type { LogLine } from "../../tests/conformance/process.ts";
import { type Inbox, until } from "../../tests/conformance/wait.ts";

const FOREVER_MS = 2 ** 31 - 1;

/** Follows the relay's log, and records sessions, errors and the shutdown. */
export class Journal {
  /** Sessions that have begun and not ended. */
  readonly sessions = new Set<string>();
  /** Lines of level ERROR or FATAL. */
  readonly errors: string[] = [];
  /** The line that announces the shutdown; `undefined` before it. */
  shutdown: LogLine | undefined;
  readonly #ended: Promise<void>;

  constructor(log: Inbox<LogLine>) {
    this.#ended = this.#read(log);
  }

  /** Waits until every session has ended. @throws {Error} When some have not within 10 s. */
  untilAllLeft(): Promise<void> {
    return until(async () => this.sessions.size === 0, "every session to end");
  }

  /** Waits for the end of the log. */
  untilEnd(): Promise<void> {
    return this.#ended;
  }

  async #read(log: Inbox<LogLine>): Promise<void> {
    for (;;) {
      // The log ends with the process.
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
