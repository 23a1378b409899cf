import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";

const HOST = fileURLToPath(new URL("../../../src/server/host.ts", import.meta.url));

const BIN = fileURLToPath(new URL("../../runtimes/node_modules/.bin", import.meta.url));
const COMMANDS = {
  Node: [process.execPath, "--import", "tsx"],
  Bun: [`${BIN}/bun`, "run"],
  Deno: [
    `${BIN}/deno`,
    "run",
    "--allow-all",
    "--config",
    fileURLToPath(new URL("../../../deno.json", import.meta.url)),
  ],
} as const;

/** Runs the code in a process of its own, after `host` is imported, and returns what it wrote to standard error. */
function stderrOf(code: string, [program, ...args]: readonly [string, ...string[]]): string {
  const folder = mkdtempSync(join(tmpdir(), "host-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const script = join(folder, "script.mts");
  writeFileSync(script, `const { host } = await import(${JSON.stringify(HOST)});\n${code}`);
  // A file takes every write at once. A pipe is full after 64 KiB, and what waits for it is lost with the process.
  const output = join(folder, "stderr");
  const stderr = openSync(output, "w");
  spawnSync(program, [...args, script], { stdio: ["ignore", "ignore", stderr] });
  closeSync(stderr);
  return readFileSync(output, "utf8");
}

const LOG_SOME = 'import process from "node:process"; for (const word of ["one", "two"]) host.log(word);';

describe.each(Object.entries(COMMANDS))("on %s", (_runtime, command) => {
  test.each([
    ["an uncaught error", 'throw new Error("a defect");'],
    ["an unhandled rejection", 'await Promise.reject(new Error("a defect"));'],
    ["an exit", "host.exit(0);"],
    ["a signal that comes when the turn is over", 'setTimeout(() => process.kill(process.pid, "SIGKILL"), 20);'],
    ["nothing more to do", ""],
  ])("the log's lines are written when the process ends by %s", (_how, end) => {
    expect(stderrOf(`${LOG_SOME}\n${end}`, command)).toMatch(/^one\ntwo\n/m);
  });

  test("the log's lines come before an error that is printed after them", () => {
    expect(stderrOf(`${LOG_SOME}\nhost.printError("three");\nhost.exit(1);`, command)).toBe("one\ntwo\nthree\n");
  });

  test("many lines of one turn are written before it ends", () => {
    const many =
      'import process from "node:process"; for (let i = 0; i < 10_000; i++) host.log("x".repeat(99));\nprocess.kill(process.pid, "SIGKILL");';
    expect(stderrOf(many, command).length).toBeGreaterThan(900_000);
  });
});
