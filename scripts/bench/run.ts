import { sleep } from "./generator/pace.ts";
import type { Load } from "./loads/load.ts";
import type { Machine } from "./machine.ts";
import { say } from "./progress.ts";
import type { LoadReport } from "./report.ts";
import type { Figures } from "./round.ts";
import { type GeneratorRuntime, Station } from "./station.ts";
import type { Subject } from "./subjects.ts";

const DISTURBED_PERCENT = 10;
const TRIES = 3;
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
  /** What its latest station found in preparing; 0 where there was none, or where the load does not ask. */
  saturatingRate: number;
  failure: string | undefined;
}

/**
 * Measures every subject under one load. The rounds interleave: each round measures one subject after the other, so that what
 * the machine does besides meets all of them.
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
  // What a subject is asked for may depend on its baseline.
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
        entry.rounds[round] = await undisturbed(
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
 * Measures again where other processes had more than a tenth of a core meanwhile, as often as TRIES; then the least disturbed
 * counts, and the report shows by how much. A server that only one round may see is not measured again.
 */
async function undisturbed(load: Load, measure: () => Promise<Figures>): Promise<Figures> {
  let best = await measure();
  for (let tries = 1; tries < TRIES && load.freshServer !== true && othersIn(best) > DISTURBED_PERCENT; tries++) {
    say(`${load.name}: measuring again, other processes had ${othersIn(best).toFixed(0)} % of a core`);
    await sleep(PAUSE_MS);
    const again = await measure();
    if (othersIn(again) < othersIn(best)) best = again;
  }
  return best;
}

function othersIn(figures: Figures): number {
  return figures.othersBusy ?? 0;
}

/** Does the step, unless the subject has failed before; a subject that fails is out of this load. */
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

/** Half of the baseline's saturating rate, so that a relay and its baseline are asked the same; or else of its own. */
function halfRate(entry: Entry, entries: readonly Entry[]): number {
  const baseline = entries.find(({ subject }) => subject.name === entry.subject.baseline) ?? entry;
  return (baseline.saturatingRate || entry.saturatingRate) / 2;
}

function isBaseline({ subject }: Entry): boolean {
  return subject.name === subject.baseline;
}
