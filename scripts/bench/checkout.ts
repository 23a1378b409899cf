import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { LOGS, ROOT } from "./paths.ts";

/**
 * Checks out and builds another commit of the repository beside the logs, to be measured next to this checkout.
 *
 * @param revision Anything that git takes for a commit.
 * @returns Path of the checkout. It stays there for the next run, which moves it to the commit of that run.
 * @throws {Error} When there is no such commit, or when it does not install or build.
 */
export function checkOut(revision: string): string {
  const commit = git("rev-parse", "--verify", "--quiet", `${revision}^{commit}`);
  const folder = `${LOGS}/compared`;
  git("worktree", "prune");
  if (existsSync(`${folder}/package.json`)) git("-C", folder, "checkout", "--quiet", "--detach", commit);
  else git("worktree", "add", "--quiet", "--detach", folder, commit);
  process.stderr.write(`Building ${commit.slice(0, 10)} in ${folder}\n`);
  const npm = (...args: readonly string[]): void => {
    execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  };
  const modules = `${folder}/node_modules`;
  rmSync(modules, { recursive: true, force: true });
  const lock = "package-lock.json";
  // The same packages need no second installation.
  if (readFileSync(`${folder}/${lock}`).equals(readFileSync(`${ROOT}/${lock}`)))
    symlinkSync(`${ROOT}/node_modules`, modules);
  else npm("ci", "--no-audit", "--no-fund");
  npm("run", "build");
  return folder;
}

/** Returns whether this clone has the commit; a shallow one may not. */
export function hasCommit(revision: string): boolean {
  try {
    git("cat-file", "-e", `${revision}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (error) {
    throw new Error(`Cannot check out the commit to compare with: git ${args.join(" ")} failed`, { cause: error });
  }
}
