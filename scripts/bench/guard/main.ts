import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { checkOut, hasCommit } from "../checkout.ts";
import { ROOT } from "../paths.ts";

// The guard: fails where a message costs clearly more CPU than at the recorded commit.

const LOADS = ["single", "joined", "json"];
/** Highest ratio of CPU, now to before, that passes. */
const LIMIT = 1.15;
const RUNS = 3;
/** Further runs of a load that seems to have become dearer. */
const MORE_RUNS = 4;

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
  const costs = { before: Number.POSITIVE_INFINITY, now: Number.POSITIVE_INFINITY };
  const measure = (runs: number): void => {
    // In turn, so that other work on the machine affects both. It only adds to the cost, so the least one counts.
    for (let run = 0; run < runs; run++) {
      costs.before = Math.min(costs.before, costOf(before, load));
      costs.now = Math.min(costs.now, costOf(now, load));
    }
  };
  measure(RUNS);
  if (costs.now / costs.before > LIMIT) measure(MORE_RUNS);
  const ratio = costs.now / costs.before;
  const verdict = ratio > LIMIT ? `, more than ${LIMIT}` : "";
  process.stdout.write(
    `${load}: ${costs.now.toFixed(2)} µs of CPU a message, ${costs.before.toFixed(2)} at ${commit.slice(0, 10)}; ` +
      `ratio ${ratio.toFixed(3)}${verdict}\n`,
  );
  if (ratio > LIMIT) isDearer = true;
}
process.exit(isDearer ? 1 : 0);

function costOf(folder: string, load: string): number {
  const file = `${ROOT}/scripts/bench/guard/measure.ts`;
  return Number(
    execFileSync(process.execPath, ["--import", "tsx", file, folder, load], { cwd: ROOT, encoding: "utf8" }),
  );
}
