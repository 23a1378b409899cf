// Writes the page that is generated from the source: docs/settings.md.
import { writeFileSync } from "node:fs";
import { writeSettingsPage } from "./settings-page.ts";

writeFileSync(new URL("../../docs/settings.md", import.meta.url), writeSettingsPage());
