import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { ROOT } from "../conformance/runtimes.ts";

const run = promisify(execFile);
const PAST = new Date("2026-01-01T00:00:00Z");

/** A repository of one source file, src/node.ts, with the relay's own build script. */
async function createRepository({ hasCompiler }: { hasCompiler: boolean }) {
  const folder = await mkdtemp(join(tmpdir(), "hono-relay-build-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(join(ROOT, "scripts/build.mjs"), join(folder, "scripts/build.mjs"));
  const compilerOptions = { rootDir: "src", outDir: "dist", module: "nodenext", target: "es2023", types: [] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  if (hasCompiler) await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  await mkdir(join(folder, "src"));
  return {
    edit: (source: string) => writeFile(join(folder, "src/node.ts"), source),
    build: (...flags: string[]) => run(process.execPath, [join(folder, "scripts/build.mjs"), ...flags]),
    built: () => readFile(join(folder, "dist/node.js"), "utf8"),
    /** Puts a dist there that is older than every source. */
    placeOldDist: async () => {
      await mkdir(join(folder, "dist"));
      await writeFile(join(folder, "dist/node.js"), "// works\n");
      await utimes(join(folder, "dist/node.js"), PAST, PAST);
    },
    leftovers: async () => (await readdir(folder)).filter((name) => name.startsWith(".build-")),
  };
}

describe("the build", () => {
  test("replaces dist as a whole, and only where a source is newer when asked for what is needed", async () => {
    const { edit, build, built, placeOldDist, leftovers } = await createRepository({ hasCompiler: true });
    await placeOldDist();
    await edit("export const one = 1;\n");
    expect((await build("--if-needed")).stderr).toBe("Building …\n");
    await expect(built()).resolves.toContain("one = 1");
    expect(await build("--if-needed")).toMatchObject({ stdout: "", stderr: "" });
    await expect(built()).resolves.toContain("one = 1");
    await edit("export const two = 2;\n");
    await build("--if-needed");
    await expect(built()).resolves.toContain("two = 2");
    await expect(leftovers()).resolves.toEqual([]);
  });

  test("leaves a dist that works where the sources do not compile", async () => {
    const { edit, build, built, placeOldDist, leftovers } = await createRepository({ hasCompiler: true });
    await placeOldDist();
    await edit("export const one: string = 1;\n");
    await expect(build()).rejects.toMatchObject({ stdout: expect.stringContaining("TS2322") });
    await expect(built()).resolves.toBe("// works\n");
    await expect(leftovers()).resolves.toEqual([]);
  });

  test("leaves a dist that works where there is no compiler, as after npm prune --omit=dev", async () => {
    const { edit, build, built, placeOldDist } = await createRepository({ hasCompiler: false });
    await placeOldDist();
    await edit("export const one = 1;\n");
    await build("--if-needed");
    await expect(built()).resolves.toBe("// works\n");
  });

  test("says what to do where there is neither a dist nor a compiler", async () => {
    const { edit, build } = await createRepository({ hasCompiler: false });
    await edit("export const one = 1;\n");
    await expect(build("--if-needed")).rejects.toMatchObject({ stderr: expect.stringContaining("Run `npm ci` first") });
  });
});
