import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { makeFolder } from "../conformance/folder.ts";
import { INSTALLED, ROOT } from "../conformance/runtimes.ts";

const run = promisify(execFile);

test("@hono-relay/client works and compiles without another package", async () => {
  const app = makeFolder();
  const client = join(app, "node_modules/@hono-relay/client");
  await mkdir(client, { recursive: true });
  await run(process.execPath, [`${ROOT}scripts/release/client-package.mjs`, client]);
  const source = `import { connect, type RelayMessage } from "@hono-relay/client";
const relay = connect<string>("ws://127.0.0.1:1/ws", { WebSocket: class { constructor() { throw new Error("offline"); } } as never });
relay.on("message", ({ from, data }: RelayMessage<string>) => console.log(from, data.length));
const outcome: Promise<"delivered" | "queued"> = relay.send("2", "hello");
console.log(typeof outcome.then);
`;
  await writeFile(join(app, "app.mts"), source);
  const flags = ["--ignoreConfig", "--strict", "--noEmit", "--target", "es2023", "--module", "nodenext", "--types", ""];
  await run(process.execPath, [`${ROOT}node_modules/typescript/bin/tsc`, ...flags, "app.mts"], { cwd: app });
  const script = `import { connect } from "@hono-relay/client"; console.log(typeof connect);`;
  await writeFile(join(app, "run.mjs"), script);
  await expect(run(process.execPath, ["run.mjs"], { cwd: app })).resolves.toMatchObject({ stdout: "function\n" });
}, 60_000);

test("the sources pass deno publish, without the entry for Bun", async () => {
  const args = ["publish", "--dry-run", "--allow-dirty", "--allow-slow-types"];
  const { stderr } = await run(`${INSTALLED}deno`, args, { cwd: ROOT });
  expect(stderr).toContain("Dry run complete");
}, 60_000);
