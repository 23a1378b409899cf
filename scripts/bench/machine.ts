import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { delimiter, join } from "node:path";
import { PEERS, ROOT } from "./paths.ts";

/** Open files for a load of 10,000 connections, and for the runtime's own. */
const FILES_NEEDED = 10_500;

/** Core that a process is pinned to, where the machine has taskset and a second core. */
export type Place = "server" | "generator";

/** Programs and limits of this machine. */
export interface Machine {
  readonly node: string;
  /** More Nodes to run the relay on: the names of their subjects, and their files. */
  readonly otherNodes: readonly (readonly [name: string, file: string])[];
  readonly bun: string | undefined;
  readonly deno: string | undefined;
  /** Whether server and generator each have a core. */
  readonly pinned: boolean;
  /** Most files that a process may open. */
  readonly maxFiles: number;
  /** Description for the report, in one line. */
  readonly description: string;
}

export function inspectMachine(otherNodes: Machine["otherNodes"]): Machine {
  const bun = find("bun");
  const deno = find("deno");
  const pinned = find("taskset") !== undefined && availableParallelism() > 1;
  const limit = execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  const versions = [
    `Node ${process.version.slice(1)}`,
    ...otherNodes.map(([name, file]) => `${name} ${versionOf(file)}`),
    ...(bun === undefined ? [] : [`Bun ${versionOf(bun)}`]),
    ...(deno === undefined ? [] : [`Deno ${versionOf(deno)}`]),
  ];
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "unknown"}`;
  return {
    node: process.execPath,
    otherNodes,
    bun,
    deno,
    pinned,
    maxFiles: limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit),
    description: `${versions.join(", ")}; ${cores}${pinned ? ", server and generator on one each" : ", not pinned"}`,
  };
}

/** Returns a sentence where this machine allows no 10,000 connections; `undefined` where it does. */
export function fileLimitProblem(machine: Machine): string | undefined {
  if (machine.maxFiles >= FILES_NEEDED) return undefined;
  return (
    `Cannot open 10,000 connections: ${FILES_NEEDED} open files are needed, the hard limit is ${machine.maxFiles}. ` +
    "Raise it (ulimit -Hn, or nofile in limits.conf), or leave out the loads that need it with --only."
  );
}

/** Returns the command line that raises the limit of open files, and runs the command on the core of its place. */
export function commandOn(machine: Machine, place: Place, command: readonly string[]): [string, string[]] {
  const pin = machine.pinned ? ["taskset", "-c", place === "server" ? "0" : "1"] : [];
  return ["sh", ["-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh", ...pin, ...command]];
}

/** Installs the packages of scripts/bench/peers, unless they are installed. */
export function installPeers(): void {
  if (existsSync(join(PEERS, "node_modules", ".package-lock.json"))) return;
  process.stderr.write("Installing the servers to compare with (npm ci in scripts/bench/peers)\n");
  const { status, stderr } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: PEERS, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot install the servers to compare with: ${stderr.trim()}`);
}

/** Returns the path of a program: of the project's own one, or of that in the PATH. */
export function find(program: string): string | undefined {
  const own = join(ROOT, "tests", "runtimes", "node_modules", ".bin");
  const folders = [own, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function versionOf(program: string): string {
  const output = execFileSync(program, ["--version"], { encoding: "utf8" });
  return /\d+\.\d+\.\d+/.exec(output)?.[0] ?? "unknown";
}
