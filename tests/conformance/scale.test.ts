import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { spawnUnlimited } from "./process.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer } from "./subject.ts";

const CLIENTS = 10_000;
/** The clients' sockets, and what a runtime opens besides. */
const NEEDED_FILES = 11_000;
const script = new URL("crowd.ts", import.meta.url).pathname;

test(`a process on this machine may open the ${NEEDED_FILES} files that these tests need (ulimit -Hn)`, async () => {
  const limit = (await outputOf(["sh", "-c", "ulimit -n"])).trim();
  expect(limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit)).toBeGreaterThanOrEqual(NEEDED_FILES);
});

describe.each(runtimes)("a relay with 10,000 clients on $name", (runtime) => {
  test("delivers a message to each of them", async () => {
    // The crowd answers no pings, and a busy machine may take long to connect it.
    const server = await ownServer(runtime, { env: { RELAY_LOG: "warning", RELAY_HEARTBEAT_MS: "30000" } });
    const output = await outputOf([process.execPath, "--import", "tsx", script, String(server.port), String(CLIENTS)]);
    expect(JSON.parse(output)).toEqual({ connected: CLIENTS, arrived: CLIENTS });
    server.process.expectAlive();
  }, 60_000);
});

/** Runs the command. @returns Its stdout. @throws {Error} When it fails; the message has its stderr. */
async function outputOf(command: readonly string[]): Promise<string> {
  const child = spawnUnlimited(command);
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("Cannot read what the command writes");
  const [output, errors, [code]] = await Promise.all([text(stdout), text(stderr), once(child, "exit")]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${errors}`);
  return output;
}
