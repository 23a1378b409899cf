import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { commandOn, type Machine, type Place } from "./machine.ts";
import { LOGS } from "./paths.ts";
import { workerOf } from "./usage.ts";

const STOP_MS = 5000;

/** Everything that was started and has not ended. */
const running = new Set<Child>();

export interface ChildOptions {
  /** Names its log in `.bench/`. */
  readonly name: string;
  readonly place: Place;
  readonly command: readonly string[];
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process that the bench has started, spoken with by lines. What it writes to stderr is in its log. */
export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #log: string;
  readonly #lines: string[] = [];
  #awaited: { resolve(line: string): void; reject(error: Error): void } | undefined = undefined;
  #ended = false;
  #worker = 0;

  constructor(machine: Machine, options: ChildOptions) {
    this.#name = options.name;
    mkdirSync(LOGS, { recursive: true });
    this.#log = `${LOGS}/${options.name}.log`;
    const log = openSync(this.#log, "w");
    const [program, args] = commandOn(machine, options.place, options.command);
    this.#process = spawn(program, args, {
      cwd: options.folder,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", log],
    });
    closeSync(log);
    running.add(this);
    this.#process.on("error", () => this.#end());
    this.#process.on("exit", () => this.#end());
    // A write to a child that has just ended; its end is reported by itself.
    this.#process.stdin?.on("error", () => {});
    const output = this.#process.stdout;
    if (output !== null) createInterface({ input: output }).on("line", (line) => this.#heard(line));
  }

  /** The process that does the work, below whatever wraps it. To be asked when it has said something. */
  get pid(): number {
    if (this.#worker === 0) this.#worker = workerOf(this.#process.pid ?? 0);
    return this.#worker;
  }

  say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** The next line of its stdout. @throws {Error} When it ends instead, with the end of its log. */
  line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve, reject) => {
      this.#awaited = { resolve, reject };
      if (this.#ended) this.#end();
    });
  }

  /** Ends it: SIGTERM, and SIGKILL after 5 s. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const exited = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), STOP_MS);
    await exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#ended) return;
    try {
      // A wrapper script may not pass a signal on; what it wraps may have started since it was last looked for.
      const worker = workerOf(this.#process.pid ?? 0);
      if (worker !== this.#process.pid) process.kill(worker, signal);
    } catch {
      // It has gone already; what wraps it goes too.
    }
    this.#process.kill(signal);
  }

  #heard(line: string): void {
    if (this.#awaited === undefined) {
      this.#lines.push(line);
      return;
    }
    this.#awaited.resolve(line);
    this.#awaited = undefined;
  }

  #end(): void {
    this.#ended = true;
    running.delete(this);
    this.#awaited?.reject(new Error(`${this.#name} has ended: ${readFileSync(this.#log, "utf8").trim().slice(-500)}`));
    this.#awaited = undefined;
  }
}

/** Ends everything that was started, at once. */
export function killAll(): void {
  for (const child of running) child.kill();
}
