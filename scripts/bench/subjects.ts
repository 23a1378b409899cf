import { readFileSync } from "node:fs";
import { binaryOf, compilablePeers } from "./compiled.ts";
import type { DialectName } from "./generator/dialects.ts";
import type { Machine } from "./machine.ts";
import { PEERS, ROOT } from "./paths.ts";

/** Server to measure. */
export interface Subject {
  /** Name for `--subjects` and the report. */
  readonly name: string;
  /** Subject to compare with: the least code that relays on its runtime; for JSON, the same entry in plain. */
  readonly baseline: string;
  readonly dialect: DialectName;
  readonly command: readonly string[];
  /** Working directory. */
  readonly folder: string;
  /** Name of the same entry at the commit to compare with, where there is one. */
  readonly counterpart?: string;
}

/** Subjects with which the report compares every subject, besides its baseline. */
export const ALTERNATIVES: readonly string[] = ["socket.io", "peerjs", "go", "c"];

/** Returns the subjects whose runtime the machine has. With another checkout, a relay comes before its counterpart. */
export function subjectsOn(machine: Machine, otherCheckout: string | undefined): Subject[] {
  const ours = relays(machine, ROOT, "");
  if (otherCheckout === undefined) return [...ours, ...peers(machine)];
  const others = relays(machine, otherCheckout, "@other");
  const pairs = ours.flatMap((subject, i) => {
    const other = others[i];
    return other === undefined ? [subject] : [{ ...subject, counterpart: other.name }, other];
  });
  return [...pairs, ...peers(machine)];
}

function relays({ node, otherNodes, bun, deno }: Machine, folder: string, suffix: string): Subject[] {
  const relay = (name: string, baseline: string, command: readonly string[]): Subject[] => [
    { name: name + suffix, baseline, dialect: "plain", command, folder },
    { name: `${name}-json${suffix}`, baseline: name + suffix, dialect: "json", command, folder },
  ];
  const subjects = relay("node", "ws", [node, "dist/node.js"]);
  for (const [name, file] of otherNodes) subjects.push(...relay(name, "ws", [file, "dist/node.js"]));
  if (bun !== undefined) {
    subjects.push(...relay("bun", "bun-serve", [bun, "run", "src/bun.ts"]));
    subjects.push(...relay("bun-node", "bun-serve", [bun, "run", "src/node.ts"]));
  }
  if (deno !== undefined) {
    subjects.push(...relay("deno", "deno-serve", [deno, ...denoTask(folder, "start")]));
    subjects.push(...relay("deno-native", "deno-serve", [deno, ...denoTask(folder, "start:native")]));
  }
  return subjects;
}

function peers({ node, bun, deno }: Machine): Subject[] {
  const peer = (name: string, command: readonly string[], dialect: DialectName = "bare"): Subject => {
    return { name, baseline: name, dialect, command, folder: PEERS };
  };
  return [
    peer("ws", [node, "ws.js"]),
    ...(bun === undefined ? [] : [peer("bun-serve", [bun, "run", "bun-serve.ts"])]),
    ...(deno === undefined
      ? []
      : [peer("deno-serve", [deno, "run", "--no-config", "--no-lock", "--allow-net", "--allow-env", "deno-serve.ts"])]),
    peer("socket.io", [node, "socket-io.js"], "socket.io"),
    peer("peerjs", [node, "peerjs.js"], "peerjs"),
    ...compilablePeers().map(({ name }) => peer(name, [binaryOf(name)])),
  ];
}

/** Returns the arguments of a task in deno.json, to start Deno directly: `deno task` would start a shell between. */
function denoTask(folder: string, name: string): string[] {
  // The file is the repository's own, and has this shape.
  const { tasks } = JSON.parse(readFileSync(`${folder}/deno.json`, "utf8")) as { tasks: Record<string, string> };
  const [program, ...args] = tasks[name]?.split(" ") ?? [];
  if (program !== "deno") throw new Error(`Cannot start the task ${name} of deno.json: it does not begin with deno`);
  return args;
}
