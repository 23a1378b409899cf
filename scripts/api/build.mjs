// Writes the API reference from the docstrings into the folder api. Fails on each warning: an export without a
// docstring, a broken link, a type that is mentioned but not in the reference.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installFolder } from "../install-folder.mjs";

const folder = fileURLToPath(new URL("./", import.meta.url));

installFolder(folder, "TypeDoc");
const typedoc = ["node_modules/typedoc/bin/typedoc", "--options", "typedoc.json", "--logLevel", "Warn"];
const { status } = spawnSync(process.execPath, typedoc, { cwd: folder, stdio: "inherit" });
process.exitCode = status ?? 1;
