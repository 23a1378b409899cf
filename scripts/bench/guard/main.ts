import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { checkOut, hasCommit } from "../checkout.ts";
import { ROOT } from "../paths.ts";

// The guard: fails where a message costs clearly more CPU than at the recorded commit.

const LOADS = ["single", "joined", "json"];
/** Highest ratio of CPU, now to before, that passes. */
const LIMIT = 1.15;
/** Processes for each load. In one process the same build differs from itself by up to 15 %, in the mean of 10 by 4. */
const RUNS = 10;
/** After so many processes a load passes whose ratio is at most `CLEAR`: the mean of 4 is off by at most 7 %. */
const RUNS_WHEN_CLEAR = 4;
const CLEAR = 1.06;

const commit = readFileSync(new URL("commit.txt", import.meta.url), "utf8").trim();
if (!hasCommit(commit)) {
  process.stdout.write(`Guard left out: this clone does not have the commit ${commit} (a shallow clone?)\n`);
  process.exit(0);
}
// Another folder is for trying the guard itself: that checkout takes the place of this one.
const [, , now = ROOT] = process.argv;
const before = checkOut(commit);
let isDearer = false;
for (const load of LOADS) {
  const ratio = ratioOf(load);
  const verdict = ratio > LIMIT ? `, more than ${LIMIT}` : "";
  process.stdout.write(
    `${load}: a message costs ${ratio.toFixed(3)} times the CPU of ${commit.slice(0, 10)}${verdict}\n`,
  );
  if (ratio > LIMIT) isDearer = true;
}
process.exit(isDearer ? 1 : 0);

/** Returns the geometric mean of the ratios of several processes. */
function ratioOf(load: string): number {
  let sum = 0;
  for (let run = 1; ; run++) {
    // V8 favours one of two builds by where it puts their code. Which one is loaded first is swapped each time.
    sum += Math.log(run % 2 === 0 ? measure(before, now, load) : 1 / measure(now, before, load));
    const mean = Math.exp(sum / run);
    if (run === RUNS || (run === RUNS_WHEN_CLEAR && mean <= CLEAR)) return mean;
  }
}

/** Returns the CPU of a message in the second build, as a multiple of that in the first. */
function measure(first: string, second: string, load: string): number {
  const file = `${ROOT}/scripts/bench/guard/measure.ts`;
  const command = ["--import", "tsx", file, first, second, load];
  return Number(execFileSync(process.execPath, command, { cwd: ROOT, encoding: "utf8" }));
}
