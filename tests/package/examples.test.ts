import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { INSTALLED, ROOT } from "../conformance/runtimes.ts";
import { readExamples } from "./examples/blocks.ts";
import type { Globals } from "./examples/helpers.ts";

const examples = readExamples();
const RUN = "tests/package/examples/run.ts";
const COMMANDS = {
  node: [process.execPath, "--import", "tsx", RUN],
  bun: [`${INSTALLED}bun`, RUN],
  deno: [`${INSTALLED}deno`, "run", "--allow-all", RUN],
} as const;
const VITEST = [process.execPath, "node_modules/vitest/vitest.mjs"] as const;

/** Declares the globals of the examples. */
const GLOBALS = `
import type { Globals } from "./helpers.ts";
declare global {
  ${(["relay", "userOf", "fetchToken", "show"] as const satisfies (keyof Globals)[]).map((name) => `const ${name}: Globals["${name}"];`).join("\n  ")}
}
`;

describe("the examples in README.md, docs and docstrings", () => {
  let folder = "";
  let complaints = "";
  /** Errors of the examples that ran, by their modules; empty where there was none. */
  const errors = new Map<string, string>();

  beforeAll(async () => {
    // Within the repository, so that they import hono-relay by its name.
    folder = await mkdtemp(`${ROOT}.examples-`);
    complaints = await compile(folder);
    const runs = [runAll(folder, "node"), runAll(folder, "bun"), runAll(folder, "deno"), runTests(folder)];
    for (const outcome of await Promise.all(runs)) for (const [module, error] of outcome) errors.set(module, error);
  }, 90_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("compile", () => {
    expect(complaints).toBe("");
  });

  test.each(examples)("run: $name", ({ module }) => {
    expect(errors.get(module)).toBe("");
  });
});

/** Compiles the examples, each a module of its own, into the folder `out`. @returns What the compiler complains of. */
async function compile(folder: string): Promise<string> {
  const config = {
    extends: "../tsconfig.json",
    compilerOptions: {
      ...{ rootDir: ".", outDir: "out", declaration: false, jsx: "react-jsx" },
      ...{ noUnusedLocals: false, noUnusedParameters: false },
    },
    include: ["*"],
  };
  await writeFile(`${folder}/tsconfig.json`, JSON.stringify(config));
  await writeFile(`${folder}/globals.d.ts`, GLOBALS);
  await cp(`${ROOT}tests/package/examples/helpers.ts`, `${folder}/helpers.ts`);
  for (const { module, extension, source } of examples) await writeFile(`${folder}/${module}.${extension}`, source);
  const { stdout } = await execute([process.execPath, `${ROOT}node_modules/typescript/bin/tsc`, "-p", folder]);
  return stdout;
}

/** Runs the examples of one runtime, one after another in one process. @returns The error of each, by its module. */
async function runAll(folder: string, runner: "node" | "bun" | "deno"): Promise<ReadonlyMap<string, string>> {
  const modules = examples.filter((example) => example.runner === runner).map(({ module }) => module);
  const files = modules.map((module) => `${folder}/out/${module}.js`);
  const { stdout, stderr } = await execute([...COMMANDS[runner], ...files]);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return new Map(modules.map((module, at) => [module, readError(lines[at]) ?? `It did not run: ${stderr}`]));
}

function readError(line: string | undefined): string | undefined {
  return line === undefined ? undefined : (JSON.parse(line) as { error: string }).error; // As run.ts prints it.
}

/** Runs the examples that are tests. */
async function runTests(folder: string): Promise<ReadonlyMap<string, string>> {
  const modules = examples.filter(({ runner }) => runner === "vitest").map(({ module }) => module);
  const { code, stdout, stderr } = await execute([...VITEST, "run", "--root", folder, "out/"]);
  return new Map(modules.map((module) => [module, code === 0 ? "" : `${stdout}${stderr}`]));
}

interface Execution {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function execute([command, ...args]: readonly [string, ...string[]]): Promise<Execution> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stdout, stderr });
    });
  });
}
