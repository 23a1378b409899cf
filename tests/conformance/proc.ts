import { readdirSync, readFileSync } from "node:fs";

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

/** Whether the process exists and is not merely waiting to be reaped. */
export function isAlive(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(readProc(`${pid}/status`));
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
