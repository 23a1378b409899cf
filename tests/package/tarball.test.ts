import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ROOT } from "../conformance/runtimes.ts";
import { App, type AppOptions } from "./app.ts";
import { type Packed, pack, type Registry, startRegistry } from "./registry.ts";
import { NEWEST, OLDEST } from "./versions.ts";

const WHAT_RUNS = /^(dist\/.+\.(js|d\.ts)|package\.json)$/;
const WHAT_IS_READ = /^((README|CHANGELOG|SECURITY)\.md|LICENSE|docs\/.+\.(md|mjs|js|html|css|svg)|docs\/deploy\/.+)$/;

describe("the package", () => {
  let folder = "";
  let packed: Packed;
  let registry: Registry;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hono-relay-"));
    packed = await pack(folder);
    registry = await startRegistry(packed.file);
  }, 120_000);

  afterAll(async () => {
    registry.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("holds what runs and what is read, and nothing else", () => {
    expect(packed.paths.filter((path) => !WHAT_RUNS.test(path) && !WHAT_IS_READ.test(path))).toEqual([]);
    expect(packed.paths).toEqual(
      expect.arrayContaining(["dist/node.js", "dist/client/index.d.ts", "README.md", "LICENSE", "docs/protocol.md"]),
    );
  });

  test("has a file or a folder behind each relative link of its pages", async () => {
    const pages = packed.paths.filter((path) => path.endsWith(".md"));
    const missing: string[] = [];
    for (const page of pages) {
      const text = await readFile(join(ROOT, page), "utf8");
      for (const [, link = ""] of text.matchAll(/\]\((?![a-z]+:|#)([^)#]+)[^)]*\)/g)) {
        const target = posix.join(posix.dirname(page), link);
        if (!packed.paths.some((path) => path === target || path.startsWith(`${target}/`)))
          missing.push(`${page}: ${link}`);
      }
    }
    expect(pages.length).toBeGreaterThan(5);
    expect(missing).toEqual([]);
  });

  test("refers to no source map, as it holds no sources", async () => {
    const { stdout } = await promisify(execFile)("tar", ["-xOzf", packed.file, "package/dist"], { maxBuffer: 2 ** 26 });
    expect(stdout).toContain("createNodeRelay");
    expect(stdout).not.toContain("sourceMappingURL=");
  });

  test("has no findings of publint and are-the-types-wrong", async () => {
    await promisify(execFile)(process.execPath, [join(ROOT, "scripts/lint/package.mjs"), packed.file]);
  }, 120_000);

  test.each<[string, AppOptions]>([
    ["newest", { dependencies: NEWEST }],
    ["oldest", { dependencies: OLDEST }],
  ])(
    "works in an app with the %s packages that it allows",
    async (_name, options) => {
      const app = await App.create(registry, options);
      onTestFinished(() => app.remove());
      await app.run("npm", "install", "--no-audit", "--no-fund", "hono-relay");
      await app.relays(join(app.folder, "node_modules/.bin/hono-relay"), ["--port", "0"]);
      await app.imports("node");
      await app.compilesExample();
      await app.runsExample("node");
    },
    120_000,
  );
});
