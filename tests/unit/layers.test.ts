import { expect, test } from "vitest";
import { importsOf, readImports } from "../../scripts/layers/imports.ts";
import { findBreaches } from "../../scripts/layers/layers.ts";

/** Returns the breaches in files with these imports. */
function breachesOf(files: Readonly<Record<string, string>>): string[] {
  return findBreaches(Object.entries(files).flatMap(([path, source]) => importsOf(path, source)));
}

test("every file of src and scripts imports only what its layer allows, and no imports form a circle", () => {
  const imports = readImports(new URL("../../", import.meta.url), ["src", "scripts"]);
  expect(imports.length).toBeGreaterThan(400);
  expect(findBreaches(imports)).toEqual([]);
});

test("a layer imports from every layer below it", () => {
  const source = 'import { isId } from "../protocol/id.ts";\nimport { Link } from "../link/link.ts";\n';
  expect(breachesOf({ "src/core/directory/registry.ts": source })).toEqual([]);
});

test.each([
  [
    "a layer above",
    "src/core/link/link.ts",
    'import type { Mailbox } from "../session/mailbox.ts";',
    "src/core/session",
  ],
  ["another runtime", "src/runtime/bun/relay.ts", 'import { a } from "../node/socket.ts";', "src/runtime/node"],
  ["a test", "src/http/app.ts", 'export * from "../../tests/foreign.ts";', "tests"],
  ["a file at the root", "src/server/start.ts", 'import manifest from "../../package.json";', "the file"],
  ["a layer above, for one type", "src/core/link/link.ts", 'let a: import("../relay.ts").Relay;', "src/core"],
])("an import of %s is a breach", (_what, path, source, target) => {
  const [breach, ...others] = breachesOf({ [path]: source });
  expect(breach).toMatch(new RegExp(`^${path} imports .*: ${target} is not below`));
  expect(others).toEqual([]);
});

test.each([
  ["a package in the core", "src/core/relay.ts", 'import { Hono } from "hono";'],
  ["a built-in module in the core", "src/core/link/outbox.ts", 'import "node:fs";'],
  ["a package that is not the web app's", "src/http/app.ts", 'import { z } from "zod";'],
])("an import of %s is a breach", (_what, path, source) => {
  expect(breachesOf({ [path]: source })).toEqual([expect.stringMatching(/imports no such package$/)]);
});

test("the client library imports only types from the core, which are not part of its bundle", () => {
  const [types, values] = ["import type { ErrorCode }", "import { ERROR_CODES }"].map((words) =>
    breachesOf({ "src/client/errors.ts": `${words} from "../core/protocol/errors.ts";` }),
  );
  expect(types).toEqual([]);
  expect(values).toEqual([expect.stringMatching(/only types/)]);
});

test("a circle of imports is a breach, also when they are of types", () => {
  const breaches = breachesOf({
    "src/http/a.ts": 'import { b } from "./b.ts";',
    "src/http/b.ts": 'import {\n  type C,\n  type D,\n} from "./c.ts";',
    "src/http/c.ts": 'import type { B } from "./b.ts";',
  });
  expect(breaches).toEqual(["Imports go in a circle: src/http/b.ts -> src/http/c.ts"]);
});

test("text that looks like an import is ignored", () => {
  const source = 'export const reason = "from";\nexport type From = "a" | "b"; // import from "hono"\n';
  expect(importsOf("src/core/a.ts", source)).toEqual([]);
});
