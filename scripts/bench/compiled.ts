import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { find } from "./machine.ts";
import { LOGS, PEERS } from "./paths.ts";

/** Server in `peers/` that is compiled before a run. It takes part only where its compiler is installed. */
export interface CompiledPeer {
  /** Name of the subject. */
  readonly name: string;
  readonly compiler: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Folder or header of the library that it needs. */
  readonly library?: string;
  /** Command that installs compiler and library on Debian. */
  readonly install: string;
}

const GO_PATH = "/usr/share/gocode";

/** Servers in other languages: what a relay costs without a JavaScript runtime. */
const COMPILED_PEERS: readonly CompiledPeer[] = [
  {
    name: "go",
    compiler: "go",
    args: ["build", "-o", binaryOf("go"), "relay.go"],
    env: { GO111MODULE: "off", GOPATH: GO_PATH },
    library: `${GO_PATH}/src/github.com/gorilla/websocket`,
    install: "apt-get install golang-go golang-github-gorilla-websocket-dev",
  },
  {
    name: "c",
    compiler: "gcc",
    args: ["-O2", "-Wall", "-Werror", "-o", binaryOf("c"), "relay.c"],
    library: "/usr/include/unistd.h",
    install: "apt-get install gcc libc6-dev",
  },
];

/** Returns the servers that this machine can compile. */
export function compilablePeers(): CompiledPeer[] {
  return COMPILED_PEERS.filter(isCompilable);
}

/** Returns a line for each server that this machine cannot compile: how to install what it needs. */
export function missingCompilers(): string[] {
  return COMPILED_PEERS.filter((peer) => !isCompilable(peer)).map(({ name, install }) => `Without ${name}: ${install}`);
}

/** Compiles the server. @throws {Error} When the compiler reports a mistake. */
export function compile({ compiler, args, env }: CompiledPeer): void {
  mkdirSync(LOGS, { recursive: true });
  execFileSync(compiler, args, { cwd: PEERS, env: { ...process.env, ...env }, stdio: "inherit" });
}

/** Returns the path of a compiled server. */
export function binaryOf(name: string): string {
  return join(LOGS, `${name}-relay`);
}

function isCompilable({ compiler, library }: CompiledPeer): boolean {
  return find(compiler) !== undefined && (library === undefined || existsSync(library));
}
