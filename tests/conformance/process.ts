import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { isAlive, lastOfChain, openDescriptors, peakBytes, residentBytes } from "./proc.ts";
import { type Program, ROOT } from "./runtimes.ts";
import { Inbox, within } from "./wait.ts";

/** A runtime that has compiled nothing yet fetches its packages first. */
const START_PATIENCE_MS = 60_000;
const LISTENING = /^listening on http:\/\/(.+):(\d+)$/;

export interface StartOptions {
  /** Settings; PORT is 0 where they do not say. */
  readonly env?: Readonly<Record<string, string>>;
  /** Flags. */
  readonly args?: readonly string[];
  /** How many files and sockets the process may have open. Default: as many as the machine allows. */
  readonly descriptors?: number;
}

/** One line of the server's log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly id?: string;
  readonly [property: string]: unknown;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of this process, without what would be a setting of the relay. */
function cleanEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(RELAY_.*|HOST|PORT|NODE_OPTIONS|VITEST.*)$/.test(name),
  );
  return Object.fromEntries(kept);
}

/** Starts a process that may have as many sockets open as the machine allows; the usual 1,024 are too few for some tests. */
export function spawnUnlimited(command: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawnLimited(command, env, '"$(ulimit -Hn)"');
}

/** @param limit For the hard limit too: runtimes raise the soft one to it by themselves. */
function spawnLimited(command: readonly string[], env: NodeJS.ProcessEnv, limit: string): ChildProcess {
  const start = `ulimit -n ${limit}; exec "$@"`;
  return spawn("sh", ["-c", start, "sh", ...command], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Processes that must not outlive this one, however it ends. */
const running = new Set<Process>();
process.on("exit", () => {
  for (const one of running) one.kill();
});

/** A started process of the relay, whether it serves or says why not. */
export class Process {
  readonly log = new Inbox<LogLine>();
  /** How it ended, when it has. */
  readonly ended: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #lines = new Inbox<string>();
  #stdout = "";
  #stderr = "";
  #exit: Exit | undefined;
  #pid: number | undefined;

  constructor({ command }: Program, { env = {}, args = [], descriptors }: StartOptions) {
    const environment = { ...cleanEnvironment(), PORT: "0", ...env };
    this.#child =
      descriptors === undefined
        ? spawnUnlimited([...command, ...args], environment)
        : spawnLimited([...command, ...args], environment, String(descriptors));
    running.add(this);
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("Cannot read the server's output");
    createInterface(stdout).on("line", (line) => {
      this.#stdout += `${line}\n`;
      this.#lines.push(line);
    });
    createInterface(stderr).on("line", (line) => {
      this.#stderr += `${line}\n`;
      if (line.startsWith("{")) this.log.push(JSON.parse(line));
    });
    this.ended = once(this.#child, "close").then(([code]: readonly (number | null)[]) => {
      running.delete(this);
      this.#exit = { code: code ?? null, stdout: this.#stdout, stderr: this.#stderr };
      this.#lines.end("the process ended");
      this.log.end("the process ended");
      return this.#exit;
    });
  }

  /** Waits until the process listens. @returns The port. */
  async listening(): Promise<number> {
    for (;;) {
      const line = this.#lines.next("the line that says where the server listens", START_PATIENCE_MS);
      const found = LISTENING.exec(await line.catch(this.#explain));
      if (found !== null) return Number(found[2]);
    }
  }

  /** The process that serves: not the shell or the task runner around it. */
  get pid(): number {
    this.#pid ??= lastOfChain(this.#child.pid ?? 0);
    return this.#pid;
  }

  get rssBytes(): number {
    return residentBytes(this.pid);
  }

  /** The most that `rssBytes` has been. */
  get peakBytes(): number {
    return peakBytes(this.pid);
  }

  /** How many files and sockets the process has open. */
  get descriptors(): number {
    return openDescriptors(this.pid);
  }

  /** Everything on stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Ends the pipe that the process writes its log to, as when the program that reads the log has ended. */
  closeLogReader(): void {
    this.#child.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** How it ends. */
  exit(patienceMs?: number): Promise<Exit> {
    return within(this.ended, "the process to exit", patienceMs);
  }

  /** @throws {Error} When the process has ended, with what it wrote. */
  expectAlive(): void {
    if (this.#exit !== undefined || !isAlive(this.pid)) {
      throw new Error(`The server ended with ${this.#exit?.code}. It wrote:\n${this.#stderr}`);
    }
  }

  /** Ends it without ceremony. Harmless when it has ended. */
  kill(): void {
    if (this.#exit !== undefined) return;
    for (const pid of [this.pid, this.#child.pid]) if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL");
  }

  readonly #explain = (error: Error): never => {
    throw new Error(`${error.message}. The process wrote:\n${this.#stderr}`);
  };
}
