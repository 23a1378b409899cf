// Installs the runtimes for the black-box tests into tests/runtimes, unless the versions of its lock file are installed
// already. They need a folder of their own: in the root's node_modules, the package `deno` breaks `deno task` (Deno
// 2.9).
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installFolder } from "./install-folder.mjs";

const folder = fileURLToPath(new URL("../tests/runtimes/", import.meta.url));

installFolder(folder, "Bun, Deno and Node 24 for the tests", (fail) => {
  // With an npm that runs no install scripts, the package `bun` has no executable until its install script is run here.
  // The package `deno` finds its executable at its first start.
  if (!runs("bun")) spawnSync(process.execPath, ["node_modules/bun/install.js"], { cwd: folder, stdio: "inherit" });
  for (const runtime of ["bun", "deno"]) {
    if (!runs(runtime))
      fail(`${runtime} was installed but does not run: try \`npx ${runtime} --version\` in that folder.`);
  }
});

function runs(runtime) {
  return spawnSync(`${folder}node_modules/.bin/${runtime}`, ["--version"], { stdio: "ignore" }).status === 0;
}
