import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NEWEST, OLDEST } from "../package/versions.ts";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
const { dependencies, peerDependencies } = JSON.parse(read("package.json")) as Manifest;
const lock = read("package-lock.json");

test("the package is tested with the oldest versions that it allows of what it shares with an app", () => {
  const shared = { ...peerDependencies, ...dependencies };
  for (const [name, oldest] of Object.entries(OLDEST)) expect(shared[name]).toBe(`^${oldest}`);
});

test("it is tested with the versions of its lock as the newest ones", () => {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string }> };
  for (const [name, newest] of Object.entries(NEWEST)) expect(packages[`node_modules/${name}`]?.version).toBe(newest);
});

test("hono is a peer alone, so that an app and the relay in it have the same one", () => {
  expect(Object.keys(peerDependencies)).toEqual(["hono"]);
  expect(dependencies.hono).toBeUndefined();
});

test("Deno, which reads no peers of its own project, is given the same range", () => {
  const { imports } = JSON.parse(read("deno.json")) as { imports: Record<string, string> };
  expect(imports.hono).toBe(`npm:hono@${peerDependencies.hono}`);
});

test("the lock holds no addresses of a registry", () => {
  expect(lock).not.toContain('"resolved"');
});
