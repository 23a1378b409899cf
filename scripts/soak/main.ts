import { parseArgs } from "node:util";
import { chooseSeed } from "../../tests/chaos/random.ts";
import { type Runtime, runtimes } from "../../tests/conformance/runtimes.ts";
import { soak } from "./soak.ts";

const MOST_PROBLEMS = 50;

/** How the tests call what the bench calls by these names. */
const ENTRIES: Readonly<Record<string, string>> = {
  node: `Node ${process.versions.node}`,
  bun: "Bun, src/bun.ts",
  "bun-node": "Bun, src/node.ts",
  deno: "Deno, task start",
  "deno-native": "Deno, task start:native",
};

const USAGE = `npm run soak -- [options]
  --minutes 10     how long, warm-up included
  --entry node     how the relay is started: ${Object.keys(ENTRIES).join(", ")}
  --seed 1         to have the clients make the same choices again
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
if (!(minutes > 0)) wrong(`--minutes ${values.minutes}: not a number above 0`);
const { problems, summary } = await soak({ runtime: runtimeOf(values.entry), minutes, seed: chooseSeed(values.seed) });
for (const problem of problems.slice(0, MOST_PROBLEMS)) process.stderr.write(`${problem}\n`);
process.stdout.write(`${summary}\n`);
process.exit(problems.length > 0 ? 1 : 0);

function runtimeOf(entry: string): Runtime {
  const found = runtimes.find(({ name }) => name === ENTRIES[entry]);
  if (found === undefined) wrong(`--entry ${entry}: not one of ${Object.keys(ENTRIES).join(", ")}`);
  return found;
}

function wrong(what: string): never {
  process.stderr.write(`${what}\n\n${USAGE}`);
  process.exit(64);
}
