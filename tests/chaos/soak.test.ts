import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "../conformance/runtimes.ts";

const MINUTES = Number(process.env.SOAK_MINUTES ?? 0.5);
const SETTLE_MS = 90_000;

test(`a relay under load for ${MINUTES} min loses no message, keeps its memory level and holds nothing at the end`, {
  timeout: MINUTES * 60_000 + SETTLE_MS,
}, async () => {
  const seed = process.env.CHAOS_SEED === undefined ? [] : ["--seed", process.env.CHAOS_SEED];
  const args = ["--import", "tsx", "scripts/soak/main.ts", "--minutes", String(MINUTES), ...seed];
  const soak = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    soak.kill();
  });
  const [summary, problems, [status]] = await Promise.all([text(soak.stdout), text(soak.stderr), once(soak, "exit")]);
  console.log(summary.trim());
  expect({ problems, status }).toEqual({ problems: "", status: 0 });
});
