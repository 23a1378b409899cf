import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Root of the repository, and working directory of the servers. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const APPS = "tests/conformance/apps/";
/** Folder of the runtimes that the root's package.json doesn't install. */
export const INSTALLED = `${ROOT}tests/runtimes/node_modules/.bin/`;

/** Promises of the relay that a runtime cannot keep. Each value is the reason. */
export interface Exceptions {
  /** A client that is sending one large frame counts as silent until the frame is complete. */
  readonly ignoresPartialFrames?: string;
  /** A client that sends nothing but its own pings counts as silent. */
  readonly ignoresClientPings?: string;
  /** The runtime drops a silent client, after three beats as the relay does, but without a log line for each miss. */
  readonly detectsSilenceItself?: string;
  /** The relay learns the size of a message only when the message is complete. */
  readonly reportsSizeLate?: string;
  /** A closed connection keeps a few kilobytes until the timeout after which a silent client is dropped. */
  readonly keepsMemoryUntilTimeout?: string;
  /** The relay cannot drop the socket of a client that reads nothing; it only stops using it. */
  readonly cannotTerminate?: string;
  /** A socket closes right after the relay's close frame, without waiting for the client's. */
  readonly skipsClosingHandshake?: string;
  /** The relay listens until its process ends; during a drain it refuses handshakes with 503. */
  readonly listensUntilEnd?: string;
  /** With TLS, SIGHUP does not replace the certificate. */
  readonly keepsCertificate?: string;
  /** A socket that systemd has opened ends the start with 78. */
  readonly ignoresSystemdSocket?: string;
  /** The runtime buffers a flood without bound, so that the process takes far more than the relay's bound. */
  readonly buffersWithoutBound?: string;
  /** The runtime doesn't report parts of a message, so that the memory budget counts no incomplete message. */
  readonly hidesPartialMessages?: string;
  /** At the shutdown a client whose frames were not read yet may see a reset in place of the close frame. */
  readonly resetsBusyClients?: string;
  /** A client's close with 1001 counts as a lost connection: its session is kept. */
  readonly treats1001AsLoss?: string;
  /** A client that breaks the protocol is dropped without a close code, and some violations are accepted. */
  readonly laxProtocol?: string;
  /** The runtime refuses an upgrade with a method other than GET before the relay sees it. */
  readonly refusesMethodItself?: string;
  /** A client that never finishes its handshake keeps its socket. */
  readonly handshakeNeverTimesOut?: string;
  /** A request is upgraded before the app's middleware sees the answer; a middleware that refuses closes the socket. */
  readonly upgradesBeforeMiddleware?: string;
  /** Headers that middleware sets after the relay's route has answered are missing in the answer to a handshake. */
  readonly losesLateHeaders?: string;
  /** A middleware that throws a value that is no Error, after the upgrade, ends the server. */
  readonly thrownNonErrorEndsServer?: string;
  /** A client that resets its connection between its request and the answer leaks a socket. */
  readonly leaksSocketOnReset?: string;
}

/** Command that starts a server. */
export interface Program {
  /** Command line, to which flags can be appended. */
  readonly command: readonly [string, ...string[]];
}

/** One way to start the relay. Every test of this suite runs on each. */
export interface Runtime extends Program {
  readonly name: string;
  /** Starts an app that mounts the relay (apps/). */
  readonly app: Program;
  /** Starts servers with other upgrade listeners (apps/neighbours.ts); absent where a server can have only one. */
  readonly neighbours?: Program;
  /** Memory of the process besides what docs/reliability.md counts: its own, and garbage. */
  readonly baseBytes: number;
  /** Exceptions of this runtime, each with its reason. Tests of an exception assert what is true instead. */
  readonly exceptions: Exceptions;
}

const NODE_24 = `${INSTALLED}node`;
const BUN = `${INSTALLED}bun`;
const DENO = `${INSTALLED}deno`;

// Without `npm test`, which sets them up, a fresh clone has neither the runtimes nor the build.
for (const [file, command] of [
  [BUN, "node scripts/setup-runtimes.mjs"],
  [DENO, "node scripts/setup-runtimes.mjs"],
  [`${ROOT}dist/node.js`, "npm run build"],
] as const) {
  if (!existsSync(file))
    throw new Error(`Cannot find ${file}, which the tests start: run \`${command}\`, or \`npm test\``);
}

/** Node 20 needs tsx to run the apps, which are TypeScript. */
const nodeApp = (node: string, file: string): Program => ({ command: [node, "--import", "tsx", `${APPS}${file}`] });
const bunApp = (file: string): Program => ({ command: [BUN, "run", `${APPS}${file}`] });
const denoApp = (file: string): Program => ({
  command: [DENO, "run", "--allow-net", "--allow-env", "--allow-read", "--allow-sys", `${APPS}${file}`],
});

const all: readonly Runtime[] = [
  {
    name: `Node ${process.versions.node}`,
    command: [process.execPath, "dist/node.js"],
    app: nodeApp(process.execPath, "node.ts"),
    neighbours: nodeApp(process.execPath, "neighbours.ts"),
    baseBytes: 220_000_000,
    exceptions: {},
  },
  {
    name: "Node 24",
    command: [NODE_24, "dist/node.js"],
    app: nodeApp(NODE_24, "node.ts"),
    neighbours: nodeApp(NODE_24, "neighbours.ts"),
    baseBytes: 360_000_000,
    exceptions: {},
  },
  {
    name: "Bun, src/node.ts",
    command: [BUN, "run", "src/node.ts"],
    app: bunApp("node.ts"),
    neighbours: bunApp("neighbours.ts"),
    baseBytes: 240_000_000,
    exceptions: { ignoresSystemdSocket: "Bun 1.4 listens on another port in place of a given file descriptor" },
  },
  {
    name: "Bun, src/bun.ts",
    command: [BUN, "run", "src/bun.ts"],
    app: bunApp("bun.ts"),
    baseBytes: 170_000_000,
    exceptions: {
      ignoresSystemdSocket: "Bun 1.4 listens on another port in place of a given file descriptor",
      ignoresPartialFrames: "Bun.serve reports complete messages only",
      hidesPartialMessages: "Bun.serve reports complete messages only",
      skipsClosingHandshake: "Bun.serve reports a socket as closed as soon as its close frame is written",
      upgradesBeforeMiddleware: "Bun.serve upgrades a request while its handler runs",
      losesLateHeaders: "Bun.serve writes the answer to a handshake while its handler runs",
      thrownNonErrorEndsServer: "Bun 1.4 ends the process when a fetch that has upgraded its request rejects",
    },
  },
  {
    name: "Deno, task start",
    command: [DENO, "task", "start"],
    app: denoApp("node.ts"),
    neighbours: denoApp("neighbours.ts"),
    baseBytes: 280_000_000,
    exceptions: {},
  },
  {
    name: "Deno, task start:native",
    command: [DENO, "task", "start:native"],
    app: denoApp("deno.ts"),
    baseBytes: 330_000_000,
    exceptions: {
      ignoresPartialFrames: "idleTimeout counts complete frames only",
      ignoresClientPings: "idleTimeout does not count pings",
      detectsSilenceItself:
        "Deno.serve has no ping; idleTimeout, in whole seconds, pings at half of it and closes with 1001",
      reportsSizeLate: "Deno.serve reports a message when it is complete",
      keepsMemoryUntilTimeout: "Deno.serve 2.9 keeps the state of idleTimeout until its timer fires",
      resetsBusyClients: "Deno.serve 2.9 at times closes a busy socket without the relay's close frame",
      cannotTerminate: "Deno.serve has no terminate",
      listensUntilEnd: "Deno.serve closes its WebSockets when it stops listening",
      ignoresSystemdSocket: "Deno.serve 2.9 takes no file descriptor",
      keepsCertificate:
        "Deno.serve closes its WebSockets when it stops listening, and takes a certificate only at the start",
      buffersWithoutBound:
        "Deno.serve 2.9 reads into a buffer without bound: 100 clients that flood a bare server took 1.7 GB",
      hidesPartialMessages: "Deno.serve reports complete messages only",
      treats1001AsLoss: "Deno.serve reports its own idle timeout and a client's close with 1001 alike",
      laxProtocol:
        "Deno.serve accepts frames without a mask and long close frames, and drops a client without a close frame",
      refusesMethodItself: "Deno.serve answers it 400",
      handshakeNeverTimesOut:
        "Deno.serve 2.9 waits for a request's headers without a timeout, and has no option for one",
      upgradesBeforeMiddleware: "Deno.serve upgrades a request while its handler runs",
      thrownNonErrorEndsServer: "Deno.serve 2.9 ends its listener when a request was upgraded and its handler rejects",
      leaksSocketOnReset: "Deno.serve 2.9 does not close the socket of an upgrade that was reset before its answer",
    },
  },
];

/** Runtimes that this machine can test. Only Node 24 may be missing: npm has it for x64 only. */
export const runtimes: readonly Runtime[] = all.filter(({ command }) => command[0] !== NODE_24 || existsSync(NODE_24));

/** Names of the runtimes that this machine can't test. */
export const missingRuntimes: readonly string[] = all.filter((one) => !runtimes.includes(one)).map(({ name }) => name);

/** Returns the runtime started without `deno task`, whose process is a child of the task runner. */
export function withoutTask(runtime: Runtime, ...flags: readonly string[]): Runtime {
  const [deno, task, name] = runtime.command;
  if (task !== "task") return runtime;
  const entry = name === "start" ? "src/node.ts" : "src/deno.ts";
  return {
    ...runtime,
    command: [deno, "run", "--allow-net", "--allow-env", "--allow-read", "--allow-sys", ...flags, entry],
  };
}
