import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { spawnUnlimited } from "../conformance/process.ts";
import { Inbox } from "../conformance/wait.ts";

const READY_PATIENCE_MS = 60_000;

/** Process of its own whose clients put load on the relay. Ends with the test. */
export interface LoadProcess {
  /** Stops the process. @returns Its last line of output: what it counted. @throws {Error} When it has failed. */
  stop(): Promise<string>;
}

/**
 * Starts a script of this folder, and waits for its first line of output, which says that it has begun. After SIGTERM
 * the script prints a line with its counts.
 */
export async function startLoadProcess(script: string, ...args: readonly (string | number)[]): Promise<LoadProcess> {
  const path = new URL(script, import.meta.url).pathname;
  const child = spawnUnlimited([process.execPath, "--import", "tsx", path, ...args.map(String)]);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error(`Cannot read what ${script} writes`);
  let errors = "";
  stderr.on("data", (piece) => {
    errors += piece;
  });
  const lines = new Inbox<string>();
  createInterface(stdout).on("line", (line) => lines.push(line));
  child.on("close", (code) => lines.end(`the process ended with ${code}: ${errors}`));
  await lines.next(`${script} to begin`, READY_PATIENCE_MS);
  return {
    stop: () => {
      child.kill("SIGTERM");
      return lines.next(`the counts of ${script}`);
    },
  };
}
