import { posix } from "node:path";
import { findCircles, type Import } from "./imports.ts";

/** The rule for the imports of a layer. A layer is a folder, or a single file. */
export interface Layer {
  /** Layers directly below this one. Its files may import from these, and from all layers below them. */
  readonly above: readonly string[];
  /** Packages and built-in modules that its files may import; any where absent. */
  readonly packages?: readonly string[];
  /** Whether its files may import only types from other layers. */
  readonly typesOnly?: boolean;
}

/** The layers of the repository, by path. A file belongs to the innermost one. docs/architecture.md describes each. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  "src/core/protocol": { above: [], packages: ["zod/mini"] },
  "src/core/link": { above: ["src/core/protocol"], packages: [] },
  "src/core/session": { above: ["src/core/link"], packages: [] },
  "src/core/directory": { above: ["src/core/session"], packages: [] },
  "src/core": { above: ["src/core/directory"], packages: [] },
  "src/http": { above: ["src/core"], packages: ["hono", "ipaddr.js", "jose"] },
  "src/http/admin": { above: ["src/core"], packages: ["hono", "zod", "zod-openapi"] },
  "src/http/metrics": { above: ["src/http/admin"], packages: ["hono", "prom-client"] },
  "src/runtime": { above: ["src/http"] },
  "src/runtime/node": { above: ["src/runtime"] },
  "src/runtime/bun": { above: ["src/runtime"] },
  "src/runtime/deno": { above: ["src/runtime"] },
  "src/server": { above: ["src/runtime", "src/http/metrics"] },
  "src/index.ts": { above: ["src/http"], packages: [] },
  src: { above: ["src/server", "src/runtime/node", "src/runtime/bun", "src/runtime/deno"] },
  "src/client": { above: ["src/core/protocol"], packages: [], typesOnly: true },
  tests: { above: ["src", "src/index.ts", "src/client"] },
  scripts: { above: ["tests"] },
};

/** Checks the imports. @returns A sentence for each import that breaks a rule, and for each circle. */
export function findBreaches(imports: readonly Import[]): string[] {
  const breaches = imports.flatMap((each) => {
    const reason = breachOf(each);
    return reason === undefined ? [] : [`${each.from} imports ${each.to}: ${reason}`];
  });
  return [...breaches, ...findCircles(imports).map((files) => `Imports go in a circle: ${files.join(" -> ")}`)];
}

function breachOf({ from, to, isLocal, isType }: Import): string | undefined {
  const home = layerOf(from);
  const layer = home === undefined ? undefined : LAYERS[home];
  if (home === undefined || layer === undefined) return "the file is in no layer";
  if (!isLocal) {
    const { packages } = layer;
    const isAllowed = packages === undefined || packages.some((name) => to === name || to.startsWith(`${name}/`));
    return isAllowed ? undefined : `${home} imports no such package`;
  }
  const target = layerOf(to);
  if (target === home) return undefined;
  if (target === undefined || !isAbove(home, target)) return `${target ?? "the file"} is not below ${home}`;
  return layer.typesOnly === true && !isType ? `${home} imports only types from other layers` : undefined;
}

/** Returns the path of the innermost layer that the file is in. */
function layerOf(file: string): string | undefined {
  for (let path = file; path !== "."; path = posix.dirname(path)) {
    if (Object.hasOwn(LAYERS, path)) return path;
  }
  return undefined;
}

function isAbove(layer: string, other: string): boolean {
  return LAYERS[layer]?.above.some((next) => next === other || isAbove(next, other)) === true;
}
