import process from "node:process";

/** The parts of a process that an entry needs. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The command line, without the program's own name. */
  readonly args: readonly string[];
  /** Whether the log goes to a terminal. */
  readonly isTerminal: boolean;
  print(line: string): void;
  printError(line: string): void;
  /** Writes the line to standard error within 5 ms, together with others, and before the process exits. */
  log(line: string): void;
  exit(code: number): never;
  readonly pid: number;
  /** Calls the listener for each SIGTERM and SIGINT. */
  onStop(listener: () => void): void;
  /** Calls the listener for each SIGHUP. Without a listener the signal ends the process. */
  onReload(listener: () => void): void;
}

// Ignores EPIPE: when the reader of the output is gone, the output is lost, and the process goes on.
for (const output of [process.stdout, process.stderr]) output.on("error", () => {});

/** Characters of log lines that wait at most; more are written at once. */
const MAX_WAITING_CHARACTERS = 65_536;

/** Least time between two scheduled writes of the log, in milliseconds. */
const FLUSH_MS = 5;

let waitingLines = "";
let isFlushScheduled = false;
/** Time of the latest write, by `performance.now()`. */
let flushedAt = Number.NEGATIVE_INFINITY;

/**
 * Writes the log's lines that wait. Each write is a system call, as long as the formatting of ten lines, and a turn of
 * the event loop accepts one client only. So the first lines after a pause are written at the end of their turn, and
 * those that follow have one write in 5 ms.
 */
function flushLog(): void {
  const lines = waitingLines;
  waitingLines = "";
  isFlushScheduled = false;
  flushedAt = performance.now();
  if (lines !== "") process.stderr.write(lines);
}

// Deno 2.9 emits no exit event when an uncaught error ends the process. A signal without a listener ends the process at
// once, and with it the lines of the last 5 ms of a busy process; there are none after a pause.
for (const event of ["exit", "uncaughtExceptionMonitor"]) process.on(event, flushLog);

/** This process, on Node, Deno and Bun, which all have node:process. */
export const host: Host = {
  env: process.env,
  args: process.argv.slice(2),
  isTerminal: process.stderr.isTTY === true,
  print: (line) => {
    process.stdout.write(`${line}\n`);
  },
  printError: (line) => {
    flushLog();
    process.stderr.write(`${line}\n`);
  },
  log: (line) => {
    waitingLines += `${line}\n`;
    if (waitingLines.length > MAX_WAITING_CHARACTERS) {
      flushLog();
    } else if (!isFlushScheduled) {
      isFlushScheduled = true;
      if (performance.now() - flushedAt < FLUSH_MS) setTimeout(flushLog, FLUSH_MS);
      else setImmediate(flushLog);
    }
  },
  exit: (code) => process.exit(code),
  pid: process.pid,
  onReload: (listener) => {
    process.on("SIGHUP", listener);
  },
  onStop: (listener) => {
    process.on("SIGTERM", listener);
    process.on("SIGINT", listener);
  },
};
