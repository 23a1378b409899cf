import { readdirSync, readFileSync } from "node:fs";
import { ROOT } from "../../conformance/runtimes.ts";

/** One fenced block of TypeScript in a page or a docstring. */
export interface Example {
  /** Page and line, such as `docs/client.md:31`. */
  readonly name: string;
  /** Name of its module, without an extension. */
  readonly module: string;
  readonly extension: "ts" | "tsx";
  readonly source: string;
  /** What can run it. */
  readonly runner: "node" | "bun" | "deno" | "vitest";
}

const FENCED = /^```(tsx?)\n([\s\S]*?)^```$/gm;

/** Returns every fenced block of TypeScript in README.md, under docs, and in the docstrings under src, file by file. */
export function readExamples(): readonly Example[] {
  return ["README.md", ...list("docs", ".md"), ...list("src", ".ts")].flatMap(readPage);
}

function list(folder: string, end: string): readonly string[] {
  const paths = readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: "utf8" }).sort();
  return paths.filter((path) => path.endsWith(end)).map((path) => `${folder}/${path}`);
}

function readPage(page: string): readonly Example[] {
  const written = readFileSync(`${ROOT}${page}`, "utf8");
  const text = page.endsWith(".ts") ? written.replaceAll(/^ *\* ?/gm, "") : written; // Docstrings without their stars.
  return [...text.matchAll(FENCED)].map(({ index, 1: extension, 2: source = "" }) => {
    const line = text.slice(0, index).split("\n").length;
    const runner = runnerOf(source);
    return {
      name: `${page}:${line}`,
      module: `${page.replace(/\.(md|ts)$/, "").replaceAll(/\W/g, "-")}-${line}${runner === "vitest" ? ".test" : ""}`,
      extension: extension === "tsx" ? "tsx" : "ts",
      source,
      runner,
    };
  });
}

function runnerOf(source: string): Example["runner"] {
  const [, runner = "node"] = /from "(?:hono-relay\/)?(bun|deno|vitest)"/.exec(source) ?? [];
  return runner as Example["runner"]; // The pattern takes no other.
}
