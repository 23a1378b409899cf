import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolder } from "../conformance/folder.ts";
import { INSTALLED, ROOT } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";

test("bun build --compile makes a single file that relays", async () => {
  const file = join(makeFolder(), "hono-relay");
  const build = ["build", "--compile", "src/bun.ts", "--outfile", file];
  const { status, stderr } = spawnSync(`${INSTALLED}bun`, build, { cwd: ROOT, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  const server = await ownServer({ command: [file] });
  await server.relayOne();
  server.process.signal("SIGTERM");
  expect((await server.process.untilExit()).code).toBe(0);
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { version: string };
  expect(spawnSync(file, ["--version"], { encoding: "utf8" }).stdout.trim()).toBe(version);
}, 60_000);
