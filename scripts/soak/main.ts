import { parseArgs } from "node:util";
import { chooseSeed } from "../../tests/chaos/random.ts";
import { type Runtime, runtimes } from "../../tests/conformance/runtimes.ts";
import { soak } from "./soak.ts";

const MAX_PRINTED_PROBLEMS = 50;

/** Names of the runtimes in the tests, by the names that the bench has for them. */
const ENTRIES: Readonly<Record<string, string>> = {
  node: `Node ${process.versions.node}`,
  bun: "Bun, src/bun.ts",
  "bun-node": "Bun, src/node.ts",
  deno: "Deno, task start",
  "deno-native": "Deno, task start:native",
};

const USAGE = `npm run soak -- [options]
  --minutes 10     duration in minutes, warm-up included
  --entry node     entry that starts the relay: ${Object.keys(ENTRIES).join(", ")}
  --seed 1         seed that repeats the clients' choices
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    entry: { type: "string", default: "node" },
    seed: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

const minutes = Number(values.minutes);
if (!(minutes > 0)) exitWithUsage(`--minutes ${values.minutes}: not a number above 0`);
const { problems, summary } = await soak({ runtime: runtimeOf(values.entry), minutes, seed: chooseSeed(values.seed) });
for (const problem of problems.slice(0, MAX_PRINTED_PROBLEMS)) process.stderr.write(`${problem}\n`);
process.stdout.write(`${summary}\n`);
process.exit(problems.length > 0 ? 1 : 0);

function runtimeOf(entry: string): Runtime {
  const found = runtimes.find(({ name }) => name === ENTRIES[entry]);
  if (found === undefined) exitWithUsage(`--entry ${entry}: not one of ${Object.keys(ENTRIES).join(", ")}`);
  return found;
}

function exitWithUsage(mistake: string): never {
  process.stderr.write(`${mistake}\n\n${USAGE}`);
  process.exit(64);
}
