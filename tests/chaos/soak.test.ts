import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { ROOT } from "../conformance/runtimes.ts";

const MINUTES = Number(process.env.SOAK_MINUTES ?? 1);
const SETTLE_MS = 90_000;

test(`for ${MINUTES} min of every kind of client, memory stays level, the book comes out even and nothing is left`, {
  timeout: MINUTES * 60_000 + SETTLE_MS,
}, () => {
  const seed = process.env.CHAOS_SEED === undefined ? [] : ["--seed", process.env.CHAOS_SEED];
  const args = ["--import", "tsx", "scripts/soak/main.ts", "--minutes", String(MINUTES), ...seed];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  console.log(stdout.trim());
  expect({ problems: stderr, status }).toEqual({ problems: "", status: 0 });
});
