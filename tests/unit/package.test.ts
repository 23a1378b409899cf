import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "../../src/server/version.ts";
import { NEWEST, OLDEST } from "../package/versions.ts";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
const { dependencies, peerDependencies } = JSON.parse(read("package.json")) as Manifest;
const lock = read("package-lock.json");

test("the package is tested with the oldest allowed versions of the packages that it shares with an app", () => {
  const shared = { ...peerDependencies, ...dependencies };
  for (const [name, oldest] of Object.entries(OLDEST)) expect(shared[name]).toBe(`^${oldest}`);
});

test("the newest versions that it is tested with are those of its lock file", () => {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string }> };
  for (const [name, newest] of Object.entries(NEWEST)) expect(packages[`node_modules/${name}`]?.version).toBe(newest);
});

test("hono is only a peer dependency, so that an app and its relay use the same copy", () => {
  expect(Object.keys(peerDependencies)).toEqual(["hono"]);
  expect(dependencies.hono).toBeUndefined();
});

test("deno.json has the same range, because Deno ignores the peer dependencies of its own project", () => {
  const { imports } = JSON.parse(read("deno.json")) as { imports: Record<string, string> };
  expect(imports.hono).toBe(`npm:hono@${peerDependencies.hono}`);
});

test("the lock file has no addresses of a registry", () => {
  expect(lock).not.toContain('"resolved"');
});

test("--version and deno.json have the package's version", () => {
  const { version } = JSON.parse(read("package.json")) as { version: string };
  expect(VERSION).toBe(version);
  expect(JSON.parse(read("deno.json"))).toMatchObject({ version });
});
