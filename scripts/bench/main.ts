import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkOut } from "./checkout.ts";
import { killAll } from "./child.ts";
import { compilablePeers, compile, missingCompilers } from "./compiled.ts";
import { LOADS } from "./loads/all.ts";
import type { Load } from "./loads/load.ts";
import { fileLimitProblem, inspectMachine, installPeers } from "./machine.ts";
import { PEERS } from "./paths.ts";
import { toPicture } from "./picture.ts";
import { type LoadReport, toComparison, toJson, toTable } from "./report.ts";
import { runLoad } from "./run.ts";
import type { GeneratorRuntime } from "./station.ts";
import { type Subject, subjectsOn } from "./subjects.ts";

const USAGE = `npm run bench -- [options]
  --only a,b            loads to run: ${LOADS.map(({ name }) => name).join(", ")} (default: all)
  --subjects node,ws    servers to run (default: all whose runtime is installed); node-json is node in JSON. A load
                        leaves some out: h is for plain and JSON, i is not for peerjs, and the others are for JSON
                        only where this option names it
  --rounds 5            rounds; each measures every subject once, one after the other
  --seconds 3           seconds of a round, at least 2
  --compare commit      measures the entries of that commit too, round by round beside these, and says what moved.
                        --subjects names both by the name of this one (default: the entries in plain and JSON)
  --generator bun       runtime of the generator: bun or node (default: bun where it is installed)
  --nodes name=file,…   more Nodes: the relay on each is a subject of this name, beside node
  --json file           file for every figure of every round
  --picture file        SVG file for the curves of a latency load (f, f-idle); the last load counts
  --check-generator     only checks whether the generator can drive the fastest servers to a full core
`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    subjects: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    compare: { type: "string" },
    generator: { type: "string" },
    json: { type: "string" },
    nodes: { type: "string", default: "" },
    picture: { type: "string" },
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

const machine = inspectMachine(nodesFrom(values.nodes));
const runtime: GeneratorRuntime = runtimeFrom(values.generator);
const isCheck = values["check-generator"];
const checkout = values.compare === undefined ? undefined : checkOut(values.compare);
const subjects = subjectsFrom(values.subjects ?? (isCheck ? "bun,bun-serve,node" : undefined));
const loads = choose(LOADS, values.only ?? (isCheck ? "a,b,d" : undefined), "--only");
const rounds = numberFrom(values.rounds, 1, "--rounds");
const seconds = numberFrom(values.seconds, 2, "--seconds");

const limitProblem = fileLimitProblem(machine);
if (limitProblem !== undefined) process.stderr.write(`${limitProblem}\n`);
if (subjects.some(({ folder }) => folder === PEERS)) installPeers();
for (const line of missingCompilers()) process.stderr.write(`${line}\n`);
for (const peer of compilablePeers()) if (subjects.some(({ name }) => name === peer.name)) compile(peer);

process.stdout.write(`${machine.description}; generator on ${runtime}; ${rounds} rounds of ${seconds} s\n\n`);
const reports: LoadReport[] = [];
for (const load of loads) {
  if (limitProblem !== undefined && load.needsFiles === true) continue;
  const included = subjects.filter((subject) => isFor(load, subject));
  if (included.length === 0) {
    process.stderr.write(`The load ${load.name} is for none of these subjects\n`);
    continue;
  }
  const report = await runLoad(load, included, { machine, runtime, rounds, seconds });
  reports.push(report);
  process.stdout.write(`${toTable(report)}\n`);
  if (values.picture !== undefined && load.hasCurve === true) writeFileSync(values.picture, toPicture(report));
  if (values.json !== undefined) writeFileSync(values.json, toJson(machine.description, reports));
}
if (checkout !== undefined) process.stdout.write(toComparison(reports));
process.exit(reports.some(({ outcomes }) => outcomes.some(({ failure }) => failure !== undefined)) ? 1 : 0);

function isFor({ dialects }: Load, { dialect }: Subject): boolean {
  if (dialects !== undefined) return dialects[dialect] !== undefined;
  return values.subjects !== undefined || dialect !== "json";
}

/** With a commit to compare with, every relay comes with its counterpart, and the other servers if they are named. */
function subjectsFrom(names: string | undefined): Subject[] {
  const all = subjectsOn(machine, checkout);
  const chosen = choose(all, names, "--subjects");
  if (checkout === undefined) return chosen;
  const pairs = names === undefined ? chosen.filter(({ counterpart }) => counterpart !== undefined) : chosen;
  const both = new Set(pairs.flatMap(({ name, counterpart = name }) => [name, counterpart]));
  return all.filter(({ name }) => both.has(name));
}

function choose<T extends { readonly name: string }>(all: readonly T[], names: string | undefined, flag: string): T[] {
  if (names === undefined) return [...all];
  return names.split(",").map((name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined) exitWithUsage(`${flag} ${name}: not one of ${all.map((one) => one.name).join(", ")}`);
    return found;
  });
}

function numberFrom(text: string, least: number, flag: string): number {
  const number = Number(text);
  if (!(number >= least)) exitWithUsage(`${flag} ${text}: not a number of ${least} or more`);
  return number;
}

function nodesFrom(text: string): [name: string, file: string][] {
  return text
    .split(",")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", file = ""] = pair.split("=");
      if (!existsSync(file)) exitWithUsage(`--nodes ${pair}: not name=file, or no such file`);
      return [name, resolve(file)];
    });
}

function runtimeFrom(text: string | undefined): GeneratorRuntime {
  if (text === undefined) return machine.bun === undefined ? "node" : "bun";
  if (text !== "bun" && text !== "node") exitWithUsage(`--generator ${text}: not bun or node`);
  if (text === "bun" && machine.bun === undefined) exitWithUsage("--generator bun: no bun was found");
  return text;
}

function exitWithUsage(mistake: string): never {
  process.stderr.write(`${mistake}\n\n${USAGE}`);
  process.exit(64);
}
