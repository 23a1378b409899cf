import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { DialectName } from "./dialects.ts";
import type { Order, Reply } from "./orders.ts";

/** Runs a command on core 0 when that core has nothing else to do (SCHED_IDLE). The generator's core is never idle. */
const AT_LEISURE = ["taskset", "-c", "0", "chrt", "--idle", "0"];

export interface BesideOptions {
  readonly port: number;
  readonly dialect: DialectName;
  readonly connections: number;
}

/**
 * Opens connections that only answer the heartbeat, in a process of their own: in this process their garbage collection
 * would add to every latency.
 *
 * @returns The id of the process, which ends with this one.
 * @throws {Error} When the server refuses a connection.
 */
export async function openBeside({ port, dialect, connections }: BesideOptions): Promise<number> {
  const [program = "", ...args] = [...AT_LEISURE, process.execPath, ...process.execArgv, process.argv[1] ?? ""];
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const order: Order = { type: "idle", dialect, port, connections };
  child.stdin.write(`${JSON.stringify(order)}\n`);
  for await (const line of createInterface({ input: child.stdout })) {
    // The generator writes replies only.
    const reply = JSON.parse(line) as Reply;
    if (reply.type === "failed") throw new Error(reply.reason);
    return child.pid ?? 0;
  }
  throw new Error("The process for the idle connections has ended");
}
