import { posix } from "node:path";
import { findCircles, type Import } from "./imports.ts";

/** The rule for the imports of a room. A room is a folder, or a single file. */
export interface Room {
  /** Rooms directly below this one. Its files may import from these, and from all rooms below them. */
  readonly above: readonly string[];
  /** Packages and built-in modules that its files may import; any where absent. */
  readonly packages?: readonly string[];
  /** Whether its files may import only types from other rooms. */
  readonly typesOnly?: boolean;
}

/** The rooms of the repository, by path. A file belongs to the innermost one. docs/architecture.md describes each. */
export const ROOMS: Readonly<Record<string, Room>> = {
  "src/core/protocol": { above: [], packages: ["zod/mini"] },
  "src/core/link": { above: ["src/core/protocol"], packages: [] },
  "src/core/session": { above: ["src/core/link"], packages: [] },
  "src/core/directory": { above: ["src/core/session"], packages: [] },
  "src/core": { above: ["src/core/directory"], packages: [] },
  "src/http": { above: ["src/core"], packages: ["hono", "ipaddr.js", "jose"] },
  "src/runtime": { above: ["src/http"] },
  "src/runtime/node": { above: ["src/runtime"] },
  "src/runtime/bun": { above: ["src/runtime"] },
  "src/runtime/deno": { above: ["src/runtime"] },
  "src/server": { above: ["src/runtime"] },
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
  const home = roomOf(from);
  const room = home === undefined ? undefined : ROOMS[home];
  if (home === undefined || room === undefined) return "the file is in no room";
  if (!isLocal) {
    const { packages } = room;
    const isAllowed = packages === undefined || packages.some((name) => to === name || to.startsWith(`${name}/`));
    return isAllowed ? undefined : `${home} imports no such package`;
  }
  const target = roomOf(to);
  if (target === home) return undefined;
  if (target === undefined || !isAbove(home, target)) return `${target ?? "the file"} is not below ${home}`;
  return room.typesOnly === true && !isType ? `${home} imports only types from other rooms` : undefined;
}

/** Returns the path of the innermost room that the file is in. */
function roomOf(file: string): string | undefined {
  for (let path = file; path !== "."; path = posix.dirname(path)) {
    if (Object.hasOwn(ROOMS, path)) return path;
  }
  return undefined;
}

function isAbove(room: string, other: string): boolean {
  return ROOMS[room]?.above.some((next) => next === other || isAbove(next, other)) === true;
}
