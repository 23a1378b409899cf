import { readdirSync, readFileSync } from "node:fs";
import { ROOT } from "../../conformance/runtimes.ts";

/** One fenced block of TypeScript in a page. */
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

/** Returns every fenced block of TypeScript in README.md and under docs, page by page. */
export function readExamples(): readonly Example[] {
  const pages = readdirSync(`${ROOT}docs`, { recursive: true, encoding: "utf8" }).map((path) => `docs/${path}`);
  return ["README.md", ...pages.sort()].filter((page) => page.endsWith(".md")).flatMap(readPage);
}

function readPage(page: string): readonly Example[] {
  const text = readFileSync(`${ROOT}${page}`, "utf8");
  return [...text.matchAll(FENCED)].map(({ index, 1: extension, 2: source = "" }) => {
    const line = text.slice(0, index).split("\n").length;
    const runner = runnerOf(source);
    return {
      name: `${page}:${line}`,
      module: `${page.replace(/\.md$/, "").replaceAll(/\W/g, "-")}-${line}${runner === "vitest" ? ".test" : ""}`,
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
