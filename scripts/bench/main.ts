import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { killAll } from "./child.ts";
import { LOADS } from "./loads/all.ts";
import type { Load } from "./loads/load.ts";
import { fileTrouble, installPeers, lookAtMachine } from "./machine.ts";
import { PEERS } from "./paths.ts";
import { type LoadReport, toJson, toTable } from "./report.ts";
import { runLoad } from "./run.ts";
import type { GeneratorRuntime } from "./station.ts";
import { type Subject, subjectsOn } from "./subjects.ts";

const USAGE = `npm run bench -- [options]
  --only a,b            loads to run: ${LOADS.map(({ name }) => name).join(", ")} (default: all)
  --subjects node,ws    servers to run (default: all that there is a runtime for); node-json is node spoken to in JSON.
                        A load leaves out whom it is not for: h has plain and JSON, i has no peerjs, the others have
                        JSON only where it is named here
  --rounds 5            rounds; each measures every subject once, one after the other
  --seconds 3           seconds measured in a round, at least 2
  --against folder      another checkout of the relay, built: its entries are subjects too, as node@other
  --generator bun       runtime of the generator: bun or node (default: bun where there is one)
  --json file           writes every figure of every round there
  --check-generator     instead: whether the generator can drive the fastest servers to a full core
`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    subjects: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    against: { type: "string" },
    generator: { type: "string" },
    json: { type: "string" },
    "check-generator": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

process.on("exit", killAll);
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

const machine = lookAtMachine();
const runtime: GeneratorRuntime = runtimeFrom(values.generator);
const checking = values["check-generator"];
const subjects = chosen(
  subjectsOn(machine, values.against === undefined ? undefined : resolve(values.against)),
  values.subjects ?? (checking ? "bun,bun-serve,node" : undefined),
  "--subjects",
);
const loads = chosen(LOADS, values.only ?? (checking ? "a,b,d" : undefined), "--only");
const rounds = numberFrom(values.rounds, 1, "--rounds");
const seconds = numberFrom(values.seconds, 2, "--seconds");

const trouble = fileTrouble(machine);
if (trouble !== undefined) process.stderr.write(`${trouble}\n`);
if (subjects.some(({ folder }) => folder === PEERS)) installPeers();

process.stdout.write(`${machine.description}; generator on ${runtime}; ${rounds} rounds of ${seconds} s\n\n`);
const reports: LoadReport[] = [];
for (const load of loads) {
  if (trouble !== undefined && load.needsFiles === true) continue;
  const among = subjects.filter((subject) => isFor(load, subject));
  if (among.length === 0) {
    process.stderr.write(`${load.name}) is for none of these subjects\n`);
    continue;
  }
  const report = await runLoad(load, among, { machine, runtime, rounds, seconds });
  reports.push(report);
  process.stdout.write(`${toTable(report)}\n`);
  if (values.json !== undefined) writeFileSync(values.json, toJson(machine.description, reports));
}
process.exit(reports.some(({ outcomes }) => outcomes.some(({ failure }) => failure !== undefined)) ? 1 : 0);

function isFor({ dialects }: Load, { dialect }: Subject): boolean {
  if (dialects !== undefined) return dialects[dialect] !== undefined;
  return values.subjects !== undefined || dialect !== "json";
}

function chosen<T extends { readonly name: string }>(all: readonly T[], names: string | undefined, flag: string): T[] {
  if (names === undefined) return [...all];
  return names.split(",").map((name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined) wrong(`${flag} ${name}: not one of ${all.map((one) => one.name).join(", ")}`);
    return found;
  });
}

function numberFrom(text: string, least: number, flag: string): number {
  const number = Number(text);
  if (!(number >= least)) wrong(`${flag} ${text}: not a number of ${least} or more`);
  return number;
}

function runtimeFrom(text: string | undefined): GeneratorRuntime {
  if (text === undefined) return machine.bun === undefined ? "node" : "bun";
  if (text !== "bun" && text !== "node") wrong(`--generator ${text}: not bun or node`);
  if (text === "bun" && machine.bun === undefined) wrong("--generator bun: no bun was found");
  return text;
}

function wrong(what: string): never {
  process.stderr.write(`${what}\n\n${USAGE}`);
  process.exit(64);
}
