// Writes the new version of package.json wherever else it stands, and moves the heading of CHANGELOG.md. `npm version`
// runs it before it commits.
import { readFileSync, writeFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const read = (name) => readFileSync(new URL(name, root), "utf8");
const { version } = JSON.parse(read("package.json"));

/** Replaces the first match in a file. Fails where there is none: the file has changed, and this script has to. */
function replace(name, pattern, replacement) {
  const text = read(name);
  if (!pattern.test(text)) throw new Error(`Cannot set the version: ${name} has no ${pattern}`);
  writeFileSync(new URL(name, root), text.replace(pattern, replacement));
}

const today = new Date().toISOString().slice(0, 10);
replace("src/server/version.ts", /VERSION = ".+"/, `VERSION = "${version}"`);
replace("deno.json", /"version": ".+"/, `"version": "${version}"`);
replace("docs/deploy/kubernetes.yaml", /hono-relay:\d\S*/, `hono-relay:${version}`);
replace("CHANGELOG.md", /^## Unreleased$/m, `## Unreleased\n\n## ${version} (${today})`);
