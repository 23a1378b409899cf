import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";

const PYTHON = "/usr/bin/python3";
const CONVERSATION = fileURLToPath(new URL("conversation.py", import.meta.url));
const run = promisify(execFile);

function hasWebsockets(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import websockets"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const isInstalled = hasWebsockets();
if (!isInstalled) console.warn("Skipped: the Python client; apt-get install python3-websockets");

describe.each(runtimes)("the relay on $name", (runtime) => {
  test.skipIf(!isInstalled)("serves clients of Python's websockets", async () => {
    const { port } = await ownServer(runtime);
    const { stdout } = await run(PYTHON, [CONVERSATION, String(port)]);
    expect(stdout).toContain("one left with 1000");
  });
});
