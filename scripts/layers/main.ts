// Fails when an import breaks the rule of its file's layer, or when imports form a circle.
import { readImports } from "./imports.ts";
import { findBreaches } from "./layers.ts";

const imports = readImports(new URL("../../", import.meta.url), ["src", "scripts"]);
const breaches = findBreaches(imports);
for (const breach of breaches) console.error(breach);
if (breaches.length > 0) process.exit(1);
console.log(`Layers: ${imports.length} imports, each of them down`);
