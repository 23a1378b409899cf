// Installs the packages of a folder that has a package.json of its own.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/**
 * Installs the packages of a folder, unless the versions of its lock file are installed already. Exits with 1 when the
 * installation fails.
 *
 * @param {string} folder Path of the folder, with a slash at its end.
 * @param {string} what Name of the packages, for messages on the terminal.
 * @param {(fail: (reason: string) => never) => void} finish Completes and checks the installation after `npm ci`.
 */
export function installFolder(folder, what, finish = () => {}) {
  const stamp = `${folder}node_modules/.installed-lock`;
  const lock = createHash("sha256")
    .update(readFileSync(`${folder}package-lock.json`))
    .digest("hex");
  if (readStamp(stamp) === lock) return;
  console.log(`Installing ${what} into ${folder} …`);
  const fail = (reason) => {
    console.error(`Cannot install ${what} into ${folder}: ${reason}`);
    process.exit(1);
  };
  // Prefers the npm that runs this script, because the npm on the PATH may have another version.
  const npm = process.env.npm_execpath?.endsWith(".js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const [command, ...args] = npm;
  const options = { cwd: folder, stdio: ["ignore", "inherit", "inherit"] };
  if (spawnSync(command, [...args, "ci", "--no-audit", "--no-fund"], options).status !== 0) {
    fail("`npm ci` failed in that folder. Can this machine reach the package registry?");
  }
  finish(fail);
  writeFileSync(stamp, lock);
}

function readStamp(stamp) {
  try {
    return readFileSync(stamp, "utf8");
  } catch {
    return undefined;
  }
}
