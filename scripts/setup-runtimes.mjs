// Installs the runtimes that the black-box tests start into tests/runtimes, unless the versions of its lock file are
// there. They need their own folder: the package `deno` in the root's node_modules breaks `deno task` (Deno 2.9).
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installFolder } from "./install-folder.mjs";

const folder = fileURLToPath(new URL("../tests/runtimes/", import.meta.url));

installFolder(folder, "Bun, Deno and Node 24 for the tests", (fail) => {
  // Where npm runs no install scripts, the package `bun` has no executable until its own script has run. The package
  // `deno` finds its executable at the first start.
  if (!runs("bun")) spawnSync(process.execPath, ["node_modules/bun/install.js"], { cwd: folder, stdio: "inherit" });
  for (const runtime of ["bun", "deno"]) {
    if (!runs(runtime))
      fail(`${runtime} was installed but does not run: try \`npx ${runtime} --version\` in that folder.`);
  }
});

function runs(runtime) {
  return spawnSync(`${folder}node_modules/.bin/${runtime}`, ["--version"], { stdio: "ignore" }).status === 0;
}
