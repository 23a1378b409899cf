// Installs the runtimes that the black-box tests start into tests/runtimes, unless the versions of its lock file are
// there. They need their own folder: the package `deno` in the root's node_modules breaks `deno task` (Deno 2.9).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../tests/runtimes/", import.meta.url));
const stamp = `${folder}node_modules/.installed-lock`;
const lock = createHash("sha256")
  .update(readFileSync(`${folder}package-lock.json`))
  .digest("hex");

if (installedLock() !== lock) {
  console.log("Installing Bun, Deno and Node 24 for the tests into tests/runtimes …");
  install();
  for (const runtime of ["bun", "deno"]) checkThatItRuns(runtime);
  writeFileSync(stamp, lock);
}

function installedLock() {
  try {
    return readFileSync(stamp, "utf8");
  } catch {
    return undefined;
  }
}

function install() {
  // Prefer the npm that runs this script: the one on the PATH may be another.
  const npm = process.env.npm_execpath?.endsWith(".js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const [command, ...args] = npm;
  if (!succeeds(command, [...args, "ci", "--no-audit", "--no-fund"])) {
    fail("`npm ci` failed in that folder. Can this machine reach the package registry?");
  }
  // Where npm runs no install scripts, the package `bun` has no executable until its own script has run. The package
  // `deno` finds its executable at the first start.
  if (!runs("bun")) succeeds(process.execPath, ["node_modules/bun/install.js"]);
}

function checkThatItRuns(runtime) {
  if (!runs(runtime))
    fail(`${runtime} was installed but does not run: try \`npx ${runtime} --version\` in that folder.`);
}

function runs(runtime) {
  return spawnSync(`${folder}node_modules/.bin/${runtime}`, ["--version"], { stdio: "ignore" }).status === 0;
}

function succeeds(command, args) {
  return spawnSync(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

function fail(reason) {
  console.error(`Cannot install the test runtimes into tests/runtimes: ${reason}`);
  process.exit(1);
}
