import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Root of the repository, and working directory of the servers. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const APPS = "tests/conformance/apps/";
/** Folder of the runtimes that the root's package.json doesn't install. */
export const INSTALLED = `${ROOT}tests/runtimes/node_modules/.bin/`;

/** What some way to start the relay cannot keep of what the others promise. */
export interface Exceptions {
  /** A client that is sending one large frame counts as silent until the frame is whole. */
  readonly partOfFrameIsSilence?: string;
  /** A client that sends pings of its own, and nothing else, counts as silent. */
  readonly pingIsSilence?: string;
  /** A silent client is found by the runtime: after as long as the misses take, without a line for each miss. */
  readonly silenceIsFoundByRuntime?: string;
  /** The size of a message is known when the message is there. */
  readonly sizeIsKnownLate?: string;
  /** A client that is gone costs a few kilobytes until the time is over after which its silence would have been found. */
  readonly remembersTheGone?: string;
  /** A client that reads nothing keeps its socket; the relay has only let go of it. */
  readonly cannotTerminate?: string;
  /** A socket ends with the relay's close frame; the client's answer is not waited for. */
  readonly closeWaitsForNobody?: string;
  /** The runtime's own buffers for what floods it are not bounded: the process takes far more than the relay's bound. */
  readonly buffersFloods?: string;
  /** Nobody is told of part of a message: an incomplete one counts for nothing in the memory budget. */
  readonly incompleteIsNotCounted?: string;
  /** At the relay's end a client whose frames were not read yet may see a reset in place of the close frame. */
  readonly closeResetsSenders?: string;
  /** A client that closes with 1001 counts as one whose connection was lost: its session is kept. */
  readonly goingAwayIsLoss?: string;
  /** A client that breaks the protocol is dropped without a code that says so, and some breaches are let pass. */
  readonly laxProtocol?: string;
  /** An upgrade with a method other than GET is refused by the runtime, before the relay sees it. */
  readonly refusesMethodItself?: string;
  /** A client that never finishes its handshake keeps its socket. */
  readonly handshakeNeverTimesOut?: string;
  /** A request is upgraded before the app's middleware has seen the answer: a middleware that refuses then closes the connection. */
  readonly upgradesBeforeMiddleware?: string;
  /** Headers that middleware sets after the relay's route has answered do not reach the answer to a handshake. */
  readonly losesLateHeaders?: string;
  /** A middleware of the app that throws something else than an Error, after a request was upgraded, ends the server. */
  readonly thrownWordsEndServer?: string;
  /** A client that resets its connection between its request and the answer costs a socket. */
  readonly keepsSocketOfReset?: string;
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
  /** Starts servers with more upgrade listeners beside the relay (apps/neighbours.ts); absent where only one can listen. */
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
    exceptions: {},
  },
  {
    name: "Bun, src/bun.ts",
    command: [BUN, "run", "src/bun.ts"],
    app: bunApp("bun.ts"),
    baseBytes: 170_000_000,
    exceptions: {
      partOfFrameIsSilence: "Bun.serve tells of whole messages alone",
      incompleteIsNotCounted: "Bun.serve tells of whole messages alone",
      closeWaitsForNobody: "Bun.serve reports a socket as closed as soon as its close frame is written",
      upgradesBeforeMiddleware: "Bun.serve upgrades a request while its handler runs",
      losesLateHeaders: "Bun.serve writes the answer to a handshake while its handler runs",
      thrownWordsEndServer: "Bun 1.4 ends the process when a fetch that has upgraded its request rejects",
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
      partOfFrameIsSilence: "idleTimeout counts whole frames alone",
      pingIsSilence: "idleTimeout does not count pings",
      silenceIsFoundByRuntime:
        "Deno.serve has no ping; idleTimeout, in whole seconds, pings at half of it and closes with 1001",
      sizeIsKnownLate: "Deno.serve reads a message whole before it hands it over",
      remembersTheGone: "Deno.serve 2.9 keeps what belongs to idleTimeout until it is over",
      closeResetsSenders: "Deno.serve 2.9 at times ends a busy socket without the close frame that the relay gave it",
      cannotTerminate: "Deno.serve has no terminate",
      buffersFloods:
        "Deno.serve 2.9 reads whatever comes into a buffer that grows with it: 100 clients that flood one that only counts it take 1.7 GB",
      incompleteIsNotCounted: "Deno.serve tells of whole messages alone",
      goingAwayIsLoss: "Deno.serve ends with 1001 whom its idleTimeout found, and reports that as a client's own 1001",
      laxProtocol:
        "Deno.serve reads frames without a mask and long close frames, and drops a client without a close frame",
      refusesMethodItself: "Deno.serve answers it 400",
      handshakeNeverTimesOut:
        "Deno.serve 2.9 waits for the headers of a request without an end, and has no option for it",
      upgradesBeforeMiddleware: "Deno.serve upgrades a request while its handler runs",
      thrownWordsEndServer: "Deno.serve 2.9 ends its listener when a request was upgraded and its handler rejects",
      keepsSocketOfReset: "Deno.serve 2.9 does not close the socket of an upgrade that was reset before its answer",
    },
  },
];

/** Runtimes that this machine can test. Only Node 24 may be missing: npm has it for x64 alone. */
export const runtimes: readonly Runtime[] = all.filter(({ command }) => command[0] !== NODE_24 || existsSync(NODE_24));

/** Names of the runtimes that this machine can't test. */
export const missingRuntimes: readonly string[] = all.filter((one) => !runtimes.includes(one)).map(({ name }) => name);
