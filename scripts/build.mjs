// Compiles src to dist. The new dist is made beside the old one and takes its place when it is whole, so that a build
// that fails, or one that is running, leaves a dist that works.
// `--if-needed` builds only where a source is newer than dist. Where there is no compiler or no source, as in an image
// that holds dist alone, it leaves dist as it is.
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
  // A folder's time is that of the last file that was added or removed.
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
    // What is edited while the compiler runs counts as newer than dist.
    utimesSync(`${folder}/new/node.js`, startedAt, startedAt);
    if (existsSync(dist)) renameSync(dist, `${folder}/old`);
    renameSync(`${folder}/new`, dist);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
