import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { spawnUnlimited } from "../conformance/process.ts";
import { Inbox } from "../conformance/wait.ts";

const READY_PATIENCE_MS = 60_000;

/** Clients in a process of their own, which a test starts to make life hard for the relay. Ends with the test. */
export interface Accomplice {
  /** Ends it. @returns What it counted, as it says. @throws {Error} When it has failed before, with why. */
  stop(): Promise<string>;
}

/**
 * Starts a script of this folder. Its first line of output says that it has begun, its last, after SIGTERM, what it
 * counted.
 */
export async function startAccomplice(script: string, ...args: readonly (string | number)[]): Promise<Accomplice> {
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
  child.on("close", (code) => lines.end(`it ended with ${code}: ${errors}`));
  await lines.next(`${script} to begin`, READY_PATIENCE_MS);
  return {
    stop: () => {
      child.kill("SIGTERM");
      return lines.next(`what ${script} counted`);
    },
  };
}
