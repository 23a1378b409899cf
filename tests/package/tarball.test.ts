import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openClient } from "../conformance/client.ts";
import { ROOT } from "../conformance/runtimes.ts";

const run = promisify(execFile);
const FILES_THAT_RUN = /^(dist\/.+\.(js|d\.ts|js\.map)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;

describe("the package", () => {
  let folder = "";
  let files: readonly string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hono-relay-"));
    // dist is built already, and other tests are running it.
    const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
      cwd: ROOT,
    });
    const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
    if (packed === undefined) throw new Error("npm pack made nothing");
    files = packed.files.map(({ path }) => path);
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "somebody-elses", private: true }));
    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", join(folder, packed.filename)], {
      cwd: folder,
    });
  }, 120_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("holds only what runs", () => {
    expect(files.filter((file) => !FILES_THAT_RUN.test(file))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(["dist/node.js", "README.md", "LICENSE", "CHANGELOG.md"]));
  });

  test("starts a relay where it is installed", async () => {
    const relay = spawn(join(folder, "node_modules/.bin/hono-relay"), ["--port", "0"], { cwd: folder });
    onTestFinished(() => {
      relay.kill("SIGKILL");
    });
    const [line] = (await once(createInterface({ input: relay.stdout }), "line")) as [string];
    const address = line.replace("listening on http", "ws");
    const one = await openClient(`${address}/ws`, []);
    one.send("1:to myself");
    await expect(one.next()).resolves.toBe("to myself");
    relay.kill("SIGTERM");
    await expect(once(relay, "exit")).resolves.toEqual([0, null]);
  });

  test("can be imported, by each of its exports", async () => {
    const { exports } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { exports: object };
    // What needs Bun's or Deno's globals needs them when it is called, not when it is imported.
    const names = Object.keys(exports).filter((name) => name !== "./package.json");
    const script = names.map((name) => `await import("${name.replace(".", "hono-relay")}");`).join("\n");
    await expect(run("node", ["--input-type=module", "--eval", script], { cwd: folder })).resolves.toBeDefined();
  });
});
