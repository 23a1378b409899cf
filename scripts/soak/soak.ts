import { setTimeout as after } from "node:timers/promises";
import type { Runtime } from "../../tests/conformance/runtimes.ts";
import { type Server, startServer } from "../../tests/conformance/server.ts";
import { say } from "../bench/progress.ts";
import { Journal } from "./journal.ts";
import { LibraryClients } from "./library-clients.ts";
import { MemorySamples } from "./memory.ts";
import { MisbehavingClients } from "./misbehaving-clients.ts";

const LIBRARY_CLIENTS = 40;
const MISBEHAVING_CLIENTS = 20;
/** Factor by which memory may grow after the warm-up. */
const MAX_GROWTH_FACTOR = 1.1;
/**
 * Memory may grow by `SHORT_GROWTH_BYTES` in a shorter run than this, since a heap may still be finding its size.
 * Node's was seen to grow by 18 MB in the first minute, and by 5 MB in thirty.
 */
const SHORT_MINUTES = 5;
const SHORT_GROWTH_BYTES = 50_000_000;
const SECOND_MS = 1000;

/** Fields of the log's shutdown line. Each must be 0, since every client has left by then. */
const HELD = ["connections", "sessions", "rooms", "watches", "waitingMessages", "bufferedBytes"];

export interface SoakOptions {
  readonly runtime: Runtime;
  /** Duration of the load, warm-up included. */
  readonly minutes: number;
  readonly seed: number;
}

export interface SoakReport {
  /** A sentence for each broken promise. */
  readonly problems: readonly string[];
  /** Figures of the run, in one line. */
  readonly summary: string;
}

/** Puts a relay under a load of library clients and misbehaving ones, and checks its memory and what it still holds. */
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
  const libraryClients = new LibraryClients(server.port, LIBRARY_CLIENTS, seed);
  await libraryClients.ready();
  const misbehaving = new MisbehavingClients(server, MISBEHAVING_CLIENTS, seed + 1, libraryClients.spam);
  const problems: string[] = [];
  const attempt = async (step: Promise<void>): Promise<void> => {
    await step.catch((error: Error) => problems.push(error.message));
  };

  const [level, last] = await watchMemory(server, libraryClients, minutes * 60);
  const allowed = Math.max(level * MAX_GROWTH_FACTOR, minutes < SHORT_MINUTES ? level + SHORT_GROWTH_BYTES : 0);
  if (last > allowed) {
    problems.push(`Memory grew from ${megabytes(level)} to ${megabytes(last)}; the limit is ${megabytes(allowed)}`);
  }
  say("finishing");
  await attempt(misbehaving.stop());
  await attempt(libraryClients.finish());
  problems.push(...libraryClients.problems());
  await attempt(journal.untilAllLeft());
  problems.push(...(await shutDown(server, journal)));
  say("");
  const growth = ((last / level - 1) * 100).toFixed(1);
  const memory = `memory ${megabytes(level)} after warm-up, ${megabytes(last)} at the end (${growth} %)`;
  const clients = `${libraryClients}; ${misbehaving.finishedCount} misbehaving clients`;
  const summary = `${runtime.name}, ${minutes} min, seed ${seed}: ${memory}; ${clients}`;
  return { problems, summary };
}

/** Lets the load run. @returns The median of the resident memory after the warm-up, and at the end. */
async function watchMemory(
  server: Server,
  libraryClients: LibraryClients,
  seconds: number,
): Promise<readonly [number, number]> {
  const warmUp = Math.min(Math.max(seconds / 5, 15), 120);
  const part = Math.min(Math.max((seconds - warmUp) / 4, 1), 300);
  const samples = new MemorySamples(() => server.process.rssBytes);
  let level = Number.NaN;
  const phases = [
    ["warming up", warmUp],
    ["measuring memory", part],
    ["running", Math.max(seconds - warmUp - 2 * part, 0)],
    ["measuring memory again", part],
  ] as const;
  const medians: number[] = [];
  try {
    for (const [name, duration] of phases) {
      const endMs = performance.now() + duration * SECOND_MS;
      for (let leftMs = endMs - performance.now(); leftMs > 0; leftMs = endMs - performance.now()) {
        say(`${name}, ${Math.ceil(leftMs / SECOND_MS)} s left: ${libraryClients}`);
        await after(Math.min(SECOND_MS, leftMs));
        server.process.expectAlive();
        libraryClients.ledger.forget();
      }
      medians.push(samples.takeMedian());
    }
  } finally {
    samples.stop();
  }
  [, level = level] = medians;
  return [level, medians.at(-1) ?? Number.NaN];
}

/** Stops the relay after every client has left. @returns A sentence for each error, and for each leftover. */
async function shutDown(server: Server, journal: Journal): Promise<string[]> {
  const problems: string[] = [];
  if (journal.sessions.size > 0) {
    problems.push(`Sessions never ended: ${[...journal.sessions].slice(0, 20).join(", ")}`);
  }
  server.process.signal("SIGTERM");
  const { code } = await server.process.untilExit();
  await journal.untilEnd();
  if (code !== 0) problems.push(`The relay exited with ${code}`);
  const line = journal.shutdown;
  if (line === undefined) problems.push("The relay did not log that it was shutting down");
  for (const field of line === undefined ? [] : HELD) {
    if (line?.[field] === undefined) problems.push(`The relay's shutdown line has no ${field}`);
    else if (line[field] !== 0) problems.push(`The relay still held ${line[field]} ${field} when it shut down`);
  }
  for (const error of journal.errors.slice(0, 10)) problems.push(`The relay logged an error: ${error}`);
  return problems;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
