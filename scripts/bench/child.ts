import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { commandOn, type Machine, type Place } from "./machine.ts";
import { LOGS } from "./paths.ts";
import { workerOf } from "./usage.ts";

const STOP_MS = 5000;

/** Started processes that have not ended. */
const running = new Set<Child>();

export interface ChildOptions {
  /** Name of its log in `.bench/`. */
  readonly name: string;
  readonly place: Place;
  readonly command: readonly string[];
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Process that the bench has started. They exchange lines over stdin and stdout. Its stderr is a pipe, as under most
 * supervisors, and goes to a log.
 */
export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #log: string;
  readonly #lines: string[] = [];
  #awaited: { resolve(line: string): void; reject(error: Error): void } | undefined = undefined;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #worker = 0;

  constructor(machine: Machine, options: ChildOptions) {
    this.#name = options.name;
    mkdirSync(LOGS, { recursive: true });
    this.#log = `${LOGS}/${options.name}.log`;
    const log = openSync(this.#log, "w");
    // A process of its own reads the pipe: in this process, each line of a busy server's log would cost far more.
    const reader = spawn("cat", { stdio: ["pipe", log, "ignore"] });
    closeSync(log);
    const [program, args] = commandOn(machine, options.place, options.command);
    this.#process = spawn(program, args, {
      cwd: options.folder,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", reader.stdin],
    });
    reader.stdin?.destroy();
    running.add(this);
    this.#process.on("error", () => this.#onEnd());
    // The reader exits after the process, when all of its log has been written.
    this.#ended = new Promise((resolve) => reader.on("exit", resolve)).then(() => this.#onEnd());
    // A write to a process that has just ended fails. The "exit" event reports the end.
    this.#process.stdin?.on("error", () => {});
    const output = this.#process.stdout;
    if (output !== null) createInterface({ input: output }).on("line", (line) => this.#onLine(line));
  }

  /** Id of the process that does the work, below any wrapper. Read it after the process's first line. */
  get pid(): number {
    if (this.#worker === 0) this.#worker = workerOf(this.#process.pid ?? 0);
    return this.#worker;
  }

  writeLine(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Waits for the next line of its stdout. @throws {Error} When it ends first; the message has the end of its log. */
  readLine(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      this.#awaited = { resolve, reject };
      if (this.#hasEnded) this.#onEnd();
    });
  }

  /** Stops the process with SIGTERM, and with SIGKILL after 5 s. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#hasEnded) return;
    try {
      // A wrapper script may not pass the signal on, and may have started another process since the last look.
      const worker = workerOf(this.#process.pid ?? 0);
      if (worker !== this.#process.pid) process.kill(worker, signal);
    } catch {
      // The worker has ended, and its wrapper ends with it.
    }
    this.#process.kill(signal);
  }

  #onLine(line: string): void {
    if (this.#awaited === undefined) {
      this.#lines.push(line);
      return;
    }
    this.#awaited.resolve(line);
    this.#awaited = undefined;
  }

  #onEnd(): void {
    this.#hasEnded = true;
    running.delete(this);
    this.#awaited?.reject(new Error(`${this.#name} has ended: ${readFileSync(this.#log, "utf8").trim().slice(-500)}`));
    this.#awaited = undefined;
  }
}

/** Kills every process that was started. */
export function killAll(): void {
  for (const child of running) child.kill();
}
