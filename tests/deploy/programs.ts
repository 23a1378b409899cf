import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { ROOT } from "../conformance/runtimes.ts";
import { until } from "../conformance/wait.ts";

/** Returns whether the program is on the PATH. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** Reads a configuration of docs/deploy, with other paths and ports. @throws {Error} When a text is not in the file. */
export function readConfiguration(name: string, replacements: readonly (readonly [string, string])[]): string {
  let text = readFileSync(`${ROOT}docs/deploy/${name}`, "utf8");
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`docs/deploy/${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Started program that is none of the relay's. */
export class Program {
  readonly #child: ChildProcess;
  #output = "";

  constructor(command: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}) {
    const [program, ...args] = command;
    this.#child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this.#child);
    this.#child.on("exit", () => running.delete(this.#child));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until something listens on the port. @throws {Error} With what the program wrote. */
  async untilListening(port: number): Promise<void> {
    const isListening = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = createConnection({ port, host: "127.0.0.1" }, () => {
          socket.destroy();
          resolve(true);
        });
        socket.on("error", () => resolve(false));
      });
    await until(isListening, "the program to listen").catch((error) => {
      throw new Error(`${error}. It wrote:\n${this.#output}`);
    });
  }

  /** Waits until the program has ended. @returns Its exit code. */
  untilExit(): Promise<number | null> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null) resolve(this.#child.exitCode);
      else this.#child.on("exit", resolve);
    });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
