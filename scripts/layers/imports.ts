import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";

/** One import in a source file. */
export interface Import {
  /** Path of the file that imports, from the root of the repository. */
  readonly from: string;
  /** Path of the imported file, from the root of the repository; or the name of a package or a built-in module. */
  readonly to: string;
  /** Whether `to` is a file of the repository. */
  readonly isLocal: boolean;
  /** Whether the import is of types only. */
  readonly isType: boolean;
}

/** `import … from "…"` and `export … from "…"`, at the start of a line. */
const STATEMENT = /^(?:import|export)\s(?<what>[^;"=(]*?)\bfrom\s"(?<path>[^"]+)"/gm;

/** `import "…"` at the start of a line, and `import("…")` for a type or a value. */
const BARE = /(?:^import\s|\bimport\()"(?<path>[^"]+)"/gm;

/** Reads the imports of a source file that Biome has formatted. */
export function importsOf(from: string, source: string): Import[] {
  const found = [...source.matchAll(STATEMENT), ...source.matchAll(BARE)];
  return found.map(({ groups: { what = "", path = "" } = {} }) => {
    const isLocal = path.startsWith(".");
    const to = isLocal ? posix.join(posix.dirname(from), path) : path;
    return { from, to, isLocal, isType: what.startsWith("type ") };
  });
}

/** Reads the imports of every TypeScript file in the folders. @param root The root of the repository. */
export function readImports(root: URL, folders: readonly string[]): Import[] {
  return folders.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
      .flatMap((name) => {
        const path = posix.join(folder, name.replaceAll("\\", "/"));
        return importsOf(path, readFileSync(new URL(path, root), "utf8"));
      }),
  );
}

/**
 * Finds circles of imports.
 *
 * @returns The files of each circle, in order. Of several circles that share a file, at least one is returned.
 */
export function findCircles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to, isLocal } of imports) {
    if (isLocal) targets.set(from, [...(targets.get(from) ?? []), to]);
  }
  const circles: string[][] = [];
  const path: string[] = [];
  const seen = new Set<string>();
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push(path.slice(at));
    if (seen.has(file)) return;
    seen.add(file);
    path.push(file);
    for (const target of targets.get(file) ?? []) visit(target);
    path.pop();
  };
  for (const file of targets.keys()) visit(file);
  return circles;
}
