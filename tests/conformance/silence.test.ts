import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { spawnUnlimited } from "./process.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { within } from "./wait.ts";

/** 3.8 to 4 beats of 5 s with the relay's own heartbeat, 15 s with Deno's; and what timers drift on a busy machine. */
const EARLIEST_MS = 14_500;
const LATEST_MS = 21_500;

test("with the settings as they come, a client that stops answering is gone within 15 to 20 s, on every runtime", async () => {
  const servers = await Promise.all(runtimes.map((runtime) => ownServer(runtime)));
  const watched = await Promise.all(servers.map(watch));
  const stop = await startSilentClient(servers.map(({ port }) => port));
  const stoppedAt = Date.now();
  stop();
  await Promise.all(watched.map((one) => one.noticeTheEnd(stoppedAt)));
}, 60_000);

interface Watch {
  noticeTheEnd(stoppedAt: number): Promise<void>;
}

/** Has two good clients, 1 and 2, look at what becomes of the third. */
async function watch(server: Server, index: number): Promise<Watch> {
  const [one, two] = [await server.open(), await server.open()];
  one.id = "1";
  two.id = "2";
  const name = runtimes[index]?.name;
  return {
    async noticeTheEnd(stoppedAt) {
      one.send("3:are you there?");
      await expect(one, name).toStaySilent();
      const left = await server.left("3", LATEST_MS + 10_000);
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

/** Starts a client of all these servers. @returns Stops its process, as a machine that hangs would. */
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
  await within(ready, "the client to be connected everywhere");
  return () => void child.kill("SIGSTOP");
}
