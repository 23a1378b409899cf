import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folders = new Set<string>();
process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Makes an empty folder, which goes when this process ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hono-relay-"));
  folders.add(folder);
  return folder;
}
