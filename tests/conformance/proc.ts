import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

/** Above are the ports that Linux gives to connections: one of them may take a port that is free for a moment. */
const FIRST_EPHEMERAL_PORT = 32_768;

/**
 * The process at the end of a chain of only children: `deno task` and the npm package `deno` each start another, and memory
 * and signals belong to the last.
 */
export function lastOfChain(pid: number): number {
  const children = childrenOf(pid);
  return children.length === 0 ? pid : lastOfChain(children[0] ?? pid);
}

/** Resident memory of the process in bytes; 0 when it is gone. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readProc(`${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** The most resident memory that the process has had, in bytes; 0 when it is gone. */
export function peakBytes(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readProc(`${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** How many files and sockets the process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Whether the process exists and is not merely waiting to be reaped. */
export function isAlive(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(readProc(`${pid}/status`));
}

/** A port that nobody listens on and that no connection is given. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, FIRST_EPHEMERAL_PORT);
    const server = createServer();
    const taken = once(server, "error").then(() => true);
    server.listen(port, "127.0.0.1");
    if (await Promise.race([taken, once(server, "listening").then(() => false)])) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  const parent = /^PPid:\s+(\d+)/m.exec(readProc(`${pid}/status`))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Empty where the process has just gone. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
