import { readFileSync } from "node:fs";

/** USER_HZ is 100 on every Linux that these runtimes support. */
const TICK_MS = 10;

/** Memory of a process. */
export interface Memory {
  /** VmRSS, in KiB. */
  readonly rssKib: number;
  /** Proportional set size in KiB: each process counts its share of shared pages. */
  readonly pssKib: number;
}

/** Returns the CPU time of a process since its start: user and system, all threads, in milliseconds (10 ms steps). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the program's name in parentheses, which may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Returns the CPU time of this machine since its start, with time stolen by a hypervisor, in milliseconds. */
export function machineCpuMs(): number {
  const [total = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = total.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

export function memoryOf(pid: number): Memory {
  return {
    rssKib: readKib(`/proc/${pid}/status`, "VmRSS"),
    pssKib: readKib(`/proc/${pid}/smaps_rollup`, "Pss"),
  };
}

function readKib(path: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(path, "latin1"));
  return Number(match?.[1] ?? Number.NaN);
}

/** Returns the id of the process that does the work: the one that a wrapper has started, or the process itself. */
export function workerOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  const [first] = children.split(" ");
  return first === undefined || first === "" ? pid : workerOf(Number(first));
}
