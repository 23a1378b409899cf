import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { isAlive, lastOfChain, openDescriptors, peakBytes, residentBytes } from "./proc.ts";
import { type Program, ROOT } from "./runtimes.ts";
import { Inbox, within } from "./wait.ts";

/** The first start of a runtime fetches and compiles its packages. */
const START_PATIENCE_MS = 60_000;
const LISTENING = /^listening on (?:https?:\/\/.+:(\d+)|unix:.+)$/;

export interface StartOptions {
  /** Settings. Default of PORT: 0. */
  readonly env?: Readonly<Record<string, string>>;
  /** Command-line flags. */
  readonly args?: readonly string[];
  /** Most file descriptors that the process may have open. Default: the machine's hard limit. */
  readonly descriptors?: number;
}

/** One line of the server's log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly id?: string;
  readonly [property: string]: unknown;
}

/** Exit code and output of a process. */
export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Returns the environment of this process, without variables that would be settings of the relay. */
function cleanEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(RELAY_.*|HOST|PORT|NODE_OPTIONS|VITEST.*)$/.test(name),
  );
  return Object.fromEntries(kept);
}

/** Starts a process with the machine's hard limit of open files; the usual 1,024 are too few for some tests. */
export function spawnUnlimited(command: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawnLimited(command, env, '"$(ulimit -Hn)"');
}

/** @param limit Sets the hard limit too: runtimes raise their soft limit to the hard one. */
function spawnLimited(command: readonly string[], env: NodeJS.ProcessEnv, limit: string): ChildProcess {
  const start = `ulimit -n ${limit}; exec "$@"`;
  return spawn("sh", ["-c", start, "sh", ...command], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Started processes; they are killed when this one exits, however that happens. */
const running = new Set<Process>();
process.on("exit", () => {
  for (const one of running) one.kill();
});

/** Started process of the relay; it may refuse to start. */
export class Process {
  readonly log = new Inbox<LogLine>();
  /** Resolves when the process has ended. */
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

  /** Waits until the process listens. @returns The port; 0 for a Unix socket. */
  async untilListening(): Promise<number> {
    for (;;) {
      const line = this.#lines.next("the line that says where the server listens", START_PATIENCE_MS);
      const found = LISTENING.exec(await line.catch(this.#explain));
      if (found !== null) return Number(found[1] ?? 0);
    }
  }

  /** Id of the process that serves, not of the shell or the task runner around it. */
  get pid(): number {
    this.#pid ??= lastOfChain(this.#child.pid ?? 0);
    return this.#pid;
  }

  get rssBytes(): number {
    return residentBytes(this.pid);
  }

  /** Highest value that `rssBytes` has had. */
  get peakBytes(): number {
    return peakBytes(this.pid);
  }

  /** Count of open file descriptors. */
  get descriptors(): number {
    return openDescriptors(this.pid);
  }

  /** All that the process has written to stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Closes the pipe that the process logs to, as if the program that reads the log had ended. */
  closeLogReader(): void {
    this.#child.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Waits until the process has ended. */
  untilExit(patienceMs?: number): Promise<Exit> {
    return within(this.ended, "the process to exit", patienceMs);
  }

  /** @throws {Error} When the process has ended; the message has its output. */
  expectAlive(): void {
    if (this.#exit !== undefined || !isAlive(this.pid)) {
      throw new Error(`The server ended with ${this.#exit?.code}. It wrote:\n${this.#stderr}`);
    }
  }

  /** Kills the process. Harmless when it has ended. */
  kill(): void {
    if (this.#exit !== undefined) return;
    for (const pid of [this.pid, this.#child.pid]) if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL");
  }

  readonly #explain = (error: Error): never => {
    throw new Error(`${error.message}. The process wrote:\n${this.#stderr}`);
  };
}
