// Publishes the version of package.json: hono-relay and @hono-relay/client to npm with provenance, and the sources to
// JSR. CI runs it for a tag, as provenance needs an identity that only a CI has. With --dry-run nothing is uploaded.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const isDry = process.argv.includes("--dry-run");
const dry = isDry ? ["--dry-run"] : [];
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

function run(cwd, command, ...args) {
  console.log(`> ${[command, ...args].join(" ")}`);
  const { status } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

if (!isDry) {
  const tagged = spawnSync("git", ["describe", "--exact-match", "--tags"], {
    cwd: root,
    encoding: "utf8",
  }).stdout.trim();
  if (tagged !== `v${version}`) {
    console.error(
      `Cannot publish ${version}: the commit has no tag v${version}. Run \`npm version <major|minor|patch>\`.`,
    );
    process.exit(1);
  }
}

const client = mkdtempSync(join(tmpdir(), "hono-relay-client-"));
try {
  run(root, "npm", "run", "build");
  run(root, process.execPath, "scripts/release/client-package.mjs", client);
  const npmFlags = isDry ? dry : ["--provenance", "--access", "public"];
  run(root, "npm", "publish", "--ignore-scripts", ...npmFlags);
  run(client, "npm", "publish", "--ignore-scripts", ...npmFlags);
  // Types that are inferred from schemas of zod are slow types for JSR.
  const deno = `${root}tests/runtimes/node_modules/.bin/deno`;
  run(root, deno, "publish", "--allow-slow-types", ...(isDry ? ["--dry-run", "--allow-dirty"] : []));
} finally {
  rmSync(client, { recursive: true, force: true });
}
