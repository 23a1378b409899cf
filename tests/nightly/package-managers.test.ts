import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, onTestFinished, test } from "vitest";
import { INSTALLED } from "../conformance/runtimes.ts";
import { App, type AppOptions } from "../package/app.ts";
import { pack, type Registry, startRegistry } from "../package/registry.ts";
import { NEWEST } from "../package/versions.ts";

const PNPM = "pnpm@10.34.8"; // The last major that runs on Node 20.
const BUN = join(INSTALLED, "bun");
const DENO = join(INSTALLED, "deno");
const BIN = "node_modules/.bin/hono-relay";
const INSTALL = ["install", "--no-audit", "--no-fund", "hono-relay"];

describe("the published package", () => {
  let folder = "";
  let registry: Registry;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hono-relay-"));
    registry = await startRegistry((await pack(folder)).file);
  });

  afterAll(async () => {
    registry.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function createApp(options: AppOptions): Promise<App> {
    const app = await App.create(registry, options);
    onTestFinished(() => app.remove());
    return app;
  }

  test("starts with npx where it is not installed", async () => {
    const app = await createApp({});
    await app.relays("npx", ["--yes", "hono-relay", "--port", "0"]);
  });

  test.each<[string, AppOptions]>([
    ["the linked layout of npm", { dependencies: NEWEST, npmrc: "install-strategy=linked" }],
    ["an app that has ws 7", { dependencies: { ...NEWEST, ws: "7.5.14" } }],
    ["an app that has @hono/node-server 2", { dependencies: { ...NEWEST, "@hono/node-server": "2.1.9" } }],
  ])("works in %s", async (_name, options) => {
    const app = await createApp(options);
    await app.run("npm", ...INSTALL);
    await app.relays(join(app.folder, BIN), ["--port", "0"]);
    await app.imports("node");
    await app.compilesExample();
    await app.runsExample("node");
  });

  test("works with pnpm without hoisting", async () => {
    const app = await createApp({ dependencies: NEWEST, npmrc: "hoist=false" });
    await app.run("npx", "--yes", PNPM, "add", "hono-relay");
    await app.relays(join(app.folder, BIN), ["--port", "0"]);
    await app.imports("node");
    await app.compilesExample();
    await app.runsExample("node");
  });

  test("installs its peer dependencies with pnpm where the app has none of them", async () => {
    const app = await createApp({ npmrc: "hoist=false" });
    await app.run("npx", "--yes", PNPM, "add", "hono-relay");
    await app.relays(join(app.folder, BIN), ["--port", "0"]);
    await app.imports("node");
  });

  test("works with Bun's package manager, on Bun", async () => {
    const app = await createApp({ dependencies: NEWEST });
    await app.run(BUN, "add", "hono-relay");
    await app.relays(BUN, ["--bun", "run", "hono-relay", "--port", "0"]);
    await app.imports(BUN, "run");
    await app.compilesExample();
    await app.runsExample(BUN, "run");
  });

  test("works with Deno's npm: specifiers, on Deno", async () => {
    const app = await createApp({});
    const imports = { hono: `npm:hono@${NEWEST.hono}`, "hono-relay": "npm:hono-relay" };
    const server = { "@hono/node-server": `npm:@hono/node-server@${NEWEST["@hono/node-server"]}` };
    await rm(join(app.folder, "package.json"));
    await writeFile(join(app.folder, "deno.json"), JSON.stringify({ imports: { ...imports, ...server } }));
    await app.relays(DENO, ["run", "--allow-all", "npm:hono-relay", "--port", "0"]);
    await app.imports(DENO, "run", "--allow-all");
    await app.compilesExample(DENO, ["check"]);
    await app.runsExample(DENO, "run", "--allow-all");
  });
});
