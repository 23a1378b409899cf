import { setTimeout as after } from "node:timers/promises";
import type { Runtime } from "../../tests/conformance/runtimes.ts";
import { type Server, startServer } from "../../tests/conformance/server.ts";
import { say } from "../bench/progress.ts";
import { Journal } from "./journal.ts";
import { MemorySamples } from "./memory.ts";
import { Nuisances } from "./nuisances.ts";
import { Sailors } from "./sailors.ts";

const SAILORS = 40;
const NUISANCES = 20;
const GROWTH = 1.1;
/**
 * In a run of fewer minutes than this a heap may still be finding its size: Node's was seen to grow by 18 MB in the first minute, and by
 * 5 MB in thirty. There memory may grow by so much at the least.
 */
const SHORT_MINUTES = 5;
const SHORT_GROWTH_BYTES = 50_000_000;
const SECOND_MS = 1000;

/** What the relay says that it still holds when it shuts down; nobody is there any more, so that all must be 0. */
const HELD = ["connections", "sessions", "rooms", "watches", "waitingMessages", "bufferedBytes"];

export interface SoakOptions {
  readonly runtime: Runtime;
  /** From the first client to the last. */
  readonly minutes: number;
  readonly seed: number;
}

export interface SoakReport {
  /** A sentence for each promise that was broken. */
  readonly problems: readonly string[];
  /** The figures, in one line. */
  readonly summary: string;
}

/** Has clients of every kind come, go and talk for so long, and looks at what the relay has kept of it. */
export async function soak({ runtime, minutes, seed }: SoakOptions): Promise<SoakReport> {
  const server = await startServer(runtime, {
    env: {
      RELAY_RESUME_MS: "5000",
      RELAY_HEARTBEAT_MS: "1000",
      RELAY_MAX_BUFFERED_BYTES: "262144",
      RELAY_LOG: "info,json",
    },
  });
  const journal = new Journal(server.process.log);
  const sailors = new Sailors(server.port, SAILORS, seed);
  await sailors.ready();
  const nuisances = new Nuisances(server, NUISANCES, seed + 1, sailors.litter);
  const problems: string[] = [];
  const attempt = async (step: Promise<void>): Promise<void> => {
    await step.catch((error: Error) => problems.push(error.message));
  };

  const [level, last] = await watchMemory(server, sailors, minutes * 60);
  const allowed = Math.max(level * GROWTH, minutes < SHORT_MINUTES ? level + SHORT_GROWTH_BYTES : 0);
  if (last > allowed) {
    problems.push(`Memory grew from ${megabytes(level)} to ${megabytes(last)}, allowed were ${megabytes(allowed)}`);
  }
  say("going home");
  await attempt(nuisances.end());
  await attempt(sailors.goHome());
  problems.push(...sailors.problems());
  await attempt(journal.allLeft());
  problems.push(...(await shutDown(server, journal)));
  say("");
  const growth = ((last / level - 1) * 100).toFixed(1);
  const memory = `memory ${megabytes(level)} after warm-up, ${megabytes(last)} at the end (${growth} %)`;
  const summary = `${runtime.name}, ${minutes} min, seed ${seed}: ${memory}; ${sailors}; ${nuisances.ended} badly behaved`;
  return { problems, summary };
}

/** Lets the load run. @returns The median of the resident memory after the warm-up, and at the end. */
async function watchMemory(server: Server, sailors: Sailors, seconds: number): Promise<readonly [number, number]> {
  const warmUp = Math.min(Math.max(seconds / 5, 15), 120);
  const part = Math.min(Math.max((seconds - warmUp) / 4, 1), 300);
  const samples = new MemorySamples(() => server.process.rssBytes);
  let level = Number.NaN;
  const phases = [
    ["warming up", warmUp],
    ["looking at the memory", part],
    ["running", Math.max(seconds - warmUp - 2 * part, 0)],
    ["looking at the memory again", part],
  ] as const;
  const medians: number[] = [];
  try {
    for (const [name, duration] of phases) {
      const endMs = performance.now() + duration * SECOND_MS;
      for (let leftMs = endMs - performance.now(); leftMs > 0; leftMs = endMs - performance.now()) {
        say(`${name}, ${Math.ceil(leftMs / SECOND_MS)} s more: ${sailors}`);
        await after(Math.min(SECOND_MS, leftMs));
        server.process.expectAlive();
        sailors.ledger.forget();
      }
      medians.push(samples.takeMedian());
    }
  } finally {
    samples.stop();
  }
  [, level = level] = medians;
  return [level, medians.at(-1) ?? Number.NaN];
}

/** Ends the relay, which nobody uses any more. @returns A sentence for each thing that it still held or that went wrong in it. */
async function shutDown(server: Server, journal: Journal): Promise<string[]> {
  const problems: string[] = [];
  if (journal.sessions.size > 0) {
    problems.push(`Sessions never ended: ${[...journal.sessions].slice(0, 20).join(", ")}`);
  }
  server.process.signal("SIGTERM");
  const { code } = await server.process.exit();
  await journal.ended();
  if (code !== 0) problems.push(`The relay exited with ${code}`);
  const line = journal.shutdown;
  if (line === undefined) problems.push("The relay did not log that it was shutting down");
  for (const what of line === undefined ? [] : HELD) {
    if (line?.[what] === undefined) problems.push(`The relay did not say how many ${what} it held when it shut down`);
    else if (line[what] !== 0) problems.push(`The relay still held ${line[what]} ${what} when it shut down`);
  }
  for (const error of journal.errors.slice(0, 10)) problems.push(`The relay logged an error: ${error}`);
  return problems;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
