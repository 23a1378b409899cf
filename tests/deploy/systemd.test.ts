import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { opened } from "../conformance/client.ts";
import { makeFolder } from "../conformance/folder.ts";
import { freePort } from "../conformance/proc.ts";
import { openTcp } from "../conformance/raw.ts";
import { ROOT, runtimes, withoutTask } from "../conformance/runtimes.ts";
import { until, within } from "../conformance/wait.ts";
import { isInstalled, Program, readConfiguration } from "./programs.ts";

const it = test.skipIf(!isInstalled("systemd-analyze"));

describe("the units for systemd (without it: apt-get install systemd)", () => {
  it("are valid, and leave the process few rights", () => {
    const folder = makeFolder();
    const service = readConfiguration("hono-relay.service", [
      ["/usr/bin/node", process.execPath],
      ["/opt/hono-relay/node_modules/hono-relay/", ROOT],
    ]);
    writeFileSync(join(folder, "hono-relay.service"), service);
    writeFileSync(join(folder, "hono-relay.socket"), readConfiguration("hono-relay.socket", []));
    const analyze = (...args: string[]) => spawnSync("systemd-analyze", args, { cwd: folder, encoding: "utf8" });
    const verified = analyze("verify", "./hono-relay.service", "./hono-relay.socket");
    expect(verified).toMatchObject({ status: 0, stdout: "", stderr: "" });
    // 10 is the least exposed third of the scale from 0 to 100.
    const security = analyze("security", "--offline=true", "--threshold=20", "--no-pager", "hono-relay.service");
    expect(security.status, security.stdout).toBe(0);
  });

  describe.each(runtimes)("a socket that systemd has opened, for a relay on $name", (runtime) => {
    it("is where the relay listens; where the runtime cannot do that, the relay ends with 78", async () => {
      const port = await freePort();
      const { command } = withoutTask(runtime);
      const activate = ["systemd-socket-activate", "-l", `127.0.0.1:${port}`] as const;
      const program = new Program([...activate, "-E", "HOST=192.0.2.1", ...command]);
      onTestFinished(() => program.kill());
      // The first connection starts the relay.
      await until(
        () =>
          openTcp(port).then(
            (tcp) => {
              tcp.reset();
              return true;
            },
            () => false,
          ),
        "systemd-socket-activate to listen",
      );
      if (runtime.exceptions.ignoresSystemdSocket !== undefined) {
        await expect(within(program.untilExit(), "the relay to end")).resolves.toBe(78);
        expect(program.output).toMatch(/Cannot start: (Bun 1.4|Deno.serve) cannot use a socket of systemd/);
        return;
      }
      const client = await opened(new WebSocket(`ws://127.0.0.1:${port}/ws?from=1`));
      client.send("1:hello");
      await expect(client.next()).resolves.toBe("1:hello");
      expect(program.output).toContain(`listening on http://127.0.0.1:${port}`);
      process.kill(program.pid, "SIGTERM");
      await expect(client.untilClosed()).resolves.toMatchObject({ code: 1001 });
      await expect(within(program.untilExit(), "the relay to end")).resolves.toBe(0);
    });
  });
});
