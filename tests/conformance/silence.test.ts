import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { spawnUnlimited } from "./process.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { within } from "./wait.ts";

/** The relay's heartbeat takes 3.8 to 4 beats of 5 s, Deno's timeout 15 s. Timers drift on a busy machine. */
const EARLIEST_MS = 14_500;
const LATEST_MS = 21_500;

test("a client that stops answering is dropped after 15 to 20 s by default, on every runtime", async () => {
  const servers = await Promise.all(runtimes.map((runtime) => ownServer(runtime)));
  const watches = await Promise.all(servers.map(watch));
  const stop = await startSilentClient(servers.map(({ port }) => port));
  const stoppedAt = Date.now();
  stop();
  await Promise.all(watches.map((one) => one.expectDrop(stoppedAt)));
}, 60_000);

interface Watch {
  /** Waits until the relay drops the third client, and checks when. */
  expectDrop(stoppedAt: number): Promise<void>;
}

/** Connects two clients, 1 and 2, that check how long the relay keeps the third. */
async function watch(server: Server, index: number): Promise<Watch> {
  const [one, two] = [await server.open(), await server.open()];
  one.id = "1";
  two.id = "2";
  const name = runtimes[index]?.name;
  return {
    async expectDrop(stoppedAt) {
      one.send("3:are you there?");
      await expect(one, name).toStaySilent();
      const left = await server.untilLeft("3", LATEST_MS + 10_000);
      const afterMs = Date.parse(String(left["@timestamp"])) - stoppedAt;
      expect(afterMs, name).toBeGreaterThan(EARLIEST_MS);
      expect(afterMs, name).toBeLessThan(LATEST_MS);
      one.send("3:are you there?");
      await expect(one.next(), name).resolves.toMatch(/^:error no_such_id /);
      one.send("2:hello");
      await expect(two.next(), name).resolves.toBe("hello");
      await expect(two, name).toStaySilent();
    },
  };
}

/** Starts a process that connects to all these servers. @returns A function that suspends the process. */
async function startSilentClient(ports: readonly number[]): Promise<() => void> {
  const script = new URL("silent-client.ts", import.meta.url).pathname;
  const child = spawnUnlimited([process.execPath, "--import", "tsx", script, ...ports.map(String)]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("Cannot read what the client writes");
  let written = "";
  stderr.on("data", (piece) => (written += piece));
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(stdout).once("line", () => resolve());
    child.once("exit", () => reject(new Error(`The client ended: ${written}`)));
  });
  await within(ready, "the client to connect to every server");
  return () => void child.kill("SIGSTOP");
}
