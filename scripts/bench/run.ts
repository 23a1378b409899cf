import { sleep } from "./generator/pace.ts";
import type { Load } from "./loads/load.ts";
import type { Machine } from "./machine.ts";
import { say } from "./progress.ts";
import type { LoadReport } from "./report.ts";
import type { Figures } from "./round.ts";
import { type GeneratorRuntime, Station } from "./station.ts";
import type { Subject } from "./subjects.ts";

/** A round is disturbed where other processes used more than this share of a core. */
const DISTURBED_PERCENT = 10;
const MAX_TRIES = 3;
const PAUSE_MS = 1500;

export interface RunOptions {
  readonly machine: Machine;
  readonly runtime: GeneratorRuntime;
  readonly rounds: number;
  readonly seconds: number;
}

interface Entry {
  readonly subject: Subject;
  readonly rounds: (Figures | undefined)[];
  station: Station | undefined;
  /** Saturating rate that its latest station measured; 0 where there is none. */
  saturatingRate: number;
  failure: string | undefined;
}

/**
 * Measures every subject under one load.
 *
 * Each round measures all subjects, one after the other, so that other work on the machine affects all of them.
 */
export async function runLoad(load: Load, subjects: readonly Subject[], options: RunOptions): Promise<LoadReport> {
  const rounds = Math.min(options.rounds, load.maxRounds ?? options.rounds);
  const seconds = load.seconds ?? options.seconds;
  const entries = subjects.map(
    (subject): Entry => ({
      subject,
      rounds: [],
      station: undefined,
      saturatingRate: 0,
      failure: undefined,
    }),
  );
  // Baselines first: the rate for a subject may depend on its baseline.
  const order = [...entries].sort((one, other) => Number(isBaseline(other)) - Number(isBaseline(one)));
  const open = async (entry: Entry): Promise<void> => {
    entry.station = await Station.open(options.machine, entry.subject, load, options.runtime);
    entry.saturatingRate = entry.station.saturatingRate;
  };

  if (load.freshServer !== true) {
    for (const entry of order) {
      say(`${load.name}: starting ${entry.subject.name}`);
      await attempt(entry, () => open(entry));
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const entry of order) {
      say(`${load.name}: round ${round + 1} of ${rounds}, ${entry.subject.name}`);
      await attempt(entry, async () => {
        if (load.freshServer === true) await open(entry);
        const rate = halfRate(entry, entries);
        entry.rounds[round] = await measureUndisturbed(
          load,
          async () => (await entry.station?.round({ seconds, rate })) ?? {},
        );
      });
      if (load.freshServer === true) await close(entry);
    }
  }
  for (const entry of entries) await close(entry);
  say("");
  return {
    load,
    outcomes: entries.map(({ subject, rounds, failure }) => {
      return { subject, rounds, ...(failure === undefined ? {} : { failure }) };
    }),
  };
}

/**
 * Measures, and repeats a disturbed measurement up to `MAX_TRIES` in all. A load with a fresh server for each round is
 * not repeated.
 *
 * @returns The figures of the least disturbed measurement; their column `others %` shows how disturbed it was.
 */
async function measureUndisturbed(load: Load, measure: () => Promise<Figures>): Promise<Figures> {
  let best = await measure();
  for (let tries = 1; tries < MAX_TRIES && load.freshServer !== true && othersIn(best) > DISTURBED_PERCENT; tries++) {
    say(`${load.name}: measuring again, other processes used ${othersIn(best).toFixed(0)} % of a core`);
    await sleep(PAUSE_MS);
    const again = await measure();
    if (othersIn(again) < othersIn(best)) best = again;
  }
  return best;
}

function othersIn(figures: Figures): number {
  return figures.othersBusy ?? 0;
}

/** Runs the step, unless the subject has failed before. A subject that fails takes no further part in this load. */
async function attempt(entry: Entry, step: () => Promise<void>): Promise<void> {
  if (entry.failure !== undefined) return;
  try {
    await step();
  } catch (error) {
    entry.failure = error instanceof Error ? error.message : String(error);
    await close(entry);
  }
}

async function close(entry: Entry): Promise<void> {
  await entry.station?.close();
  entry.station = undefined;
}

/** Returns half of the baseline's saturating rate, so that both get the same load. Without a baseline: of its own. */
function halfRate(entry: Entry, entries: readonly Entry[]): number {
  const baseline = entries.find(({ subject }) => subject.name === entry.subject.baseline) ?? entry;
  return (baseline.saturatingRate || entry.saturatingRate) / 2;
}

function isBaseline({ subject }: Entry): boolean {
  return subject.name === subject.baseline;
}
