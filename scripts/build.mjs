// Compiles src to dist. The new dist replaces the old one only when it is complete, so that dist works during a build
// and after a failed one.
// `--if-needed` compiles only when a source is newer than dist. It also keeps dist when there is no compiler or no
// source, as in an image that has only dist.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = `${root}dist`;
const entry = `${dist}/node.js`;
const compiler = `${root}node_modules/typescript/bin/tsc`;

if (process.argv.includes("--if-needed") && existsSync(entry) && (!canBuild() || isCurrent())) process.exit(0);
if (!canBuild()) {
  console.error("Cannot build the relay: the TypeScript compiler is not installed here. Run `npm ci` first.");
  process.exit(1);
}
build();

function canBuild() {
  return existsSync(compiler) && existsSync(`${root}src`);
}

function isCurrent() {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" }).map((path) => `${root}src/${path}`);
  // Folders are among the paths: the time of a folder changes when a file is added or removed.
  const newest = Math.max(...[`${root}src`, `${root}tsconfig.json`, ...sources].map((path) => statSync(path).mtimeMs));
  return newest <= statSync(entry).mtimeMs;
}

function build() {
  console.error("Building …");
  const startedAt = new Date();
  const folder = mkdtempSync(`${root}.build-`);
  try {
    const args = [compiler, "-p", root, "--outDir", `${folder}/new`];
    const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (status !== 0) {
      process.exitCode = status ?? 1;
      return;
    }
    // Sets the time of dist to the start, so that a source that is edited during the build counts as newer.
    utimesSync(`${folder}/new/node.js`, startedAt, startedAt);
    if (existsSync(dist)) renameSync(dist, `${folder}/old`);
    renameSync(`${folder}/new`, dist);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
