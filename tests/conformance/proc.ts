import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

/** Lowest port that Linux gives to outgoing connections. A free port above it may be taken by one at any time. */
const FIRST_EPHEMERAL_PORT = 32_768;

/**
 * Returns the last process of a chain in which each process has started the next.
 *
 * `deno task` and the npm package `deno` each start another process. The last one serves, and takes the memory.
 */
export function lastOfChain(pid: number): number {
  const children = childrenOf(pid);
  return children.length === 0 ? pid : lastOfChain(children[0] ?? pid);
}

/** Returns the resident memory of the process in bytes; 0 when it has ended. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readProc(`${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Returns the peak resident memory of the process in bytes; 0 when it has ended. */
export function peakBytes(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readProc(`${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Counts the open file descriptors of the process. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Returns whether the process runs; false for one that has ended and waits to be reaped. */
export function isAlive(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(readProc(`${pid}/status`));
}

/** Returns a port that nobody listens on, and that Linux gives to no outgoing connection. */
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

/** Reads a file of /proc; returns an empty string when the process has ended. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
