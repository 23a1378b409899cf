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
  exit(code: number): never;
  /** Calls the listener for each SIGTERM and SIGINT. */
  onStop(listener: () => void): void;
}

// Ignores EPIPE: when the reader of the output is gone, the output is lost, and the process goes on.
for (const output of [process.stdout, process.stderr]) output.on("error", () => {});

/** This process, on Node, Deno and Bun, which all have node:process. */
export const host: Host = {
  env: process.env,
  args: process.argv.slice(2),
  isTerminal: process.stderr.isTTY === true,
  print: (line) => {
    process.stdout.write(`${line}\n`);
  },
  printError: (line) => {
    process.stderr.write(`${line}\n`);
  },
  exit: (code) => process.exit(code),
  onStop: (listener) => {
    process.on("SIGTERM", listener);
    process.on("SIGINT", listener);
  },
};
