// Checks a packed package with publint and are-the-types-wrong: `node scripts/lint/package.mjs <file.tgz>`. Fails on each
// message of either.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { installFolder } from "../install-folder.mjs";

const [tarball] = process.argv.slice(2);
const folder = fileURLToPath(new URL("./", import.meta.url));
installFolder(folder, "the linters of the package");

const { publint } = await import("publint");
const { formatMessage } = await import("publint/utils");
const { messages, pkg } = await publint({
  pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
  strict: true,
});
for (const message of messages) console.error(formatMessage(message, pkg));

// The package has modules of ECMAScript only, so `require` of older Node is none of its ways.
const attw = [
  `${folder}node_modules/@arethetypeswrong/cli/dist/index.js`,
  tarball,
  "--profile",
  "esm-only",
  "--no-emoji",
];
const { status, stdout } = spawnSync(process.execPath, attw, { encoding: "utf8" });
if (status !== 0) console.error(stdout);
process.exitCode = messages.length > 0 || status !== 0 ? 1 : 0;
