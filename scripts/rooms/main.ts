// Fails when an import breaks the rule of its file's room, or when imports form a circle.
import { readImports } from "./imports.ts";
import { findBreaches } from "./rooms.ts";

const imports = readImports(new URL("../../", import.meta.url), ["src", "scripts"]);
const breaches = findBreaches(imports);
for (const breach of breaches) console.error(breach);
if (breaches.length > 0) process.exit(1);
console.log(`Rooms: ${imports.length} imports, each of them down`);
