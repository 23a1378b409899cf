import { describe, expect, test } from "vitest";
import { openTcp } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer } from "./subject.ts";
import { within } from "./wait.ts";

/** The relay waits 2 s for a client that doesn't answer its close frame; the rest is for a busy machine. */
const SHUTDOWN_MS = 6000;

describe.each(runtimes)("the shutdown of a relay on $name", (runtime) => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "by %s closes every client with 1001, and the process exits with 0",
    async (signal) => {
      const server = await ownServer(runtime);
      const clients = [await server.connect(), await server.connect(), await server.open("/echo")];
      server.process.signal(signal);
      for (const client of clients) {
        await expect(client.untilClosed()).resolves.toEqual({ code: 1001, reason: "The relay is shutting down" });
      }
      const exit = await server.process.untilExit(SHUTDOWN_MS);
      expect(exit.code).toBe(0);
      expect(exit.stderr).toContain("shutting down");
      await expect(openTcp(server.port)).rejects.toThrow("ECONNREFUSED");
    },
  );

  test("is not held up by a client that answers nothing", async () => {
    const server = await ownServer(runtime);
    const good = await server.connect();
    const { raw } = await server.connectRaw();
    const idle = await openTcp(server.port);
    idle.write("GET /ws HT");
    await fetch(server.url("/healthz"));
    server.process.signal("SIGTERM");
    await expect(good.untilClosed()).resolves.toMatchObject({ code: 1001 });
    await expect(raw.closeCode()).resolves.toBe(1001);
    expect((await server.process.untilExit(SHUTDOWN_MS)).code).toBe(0);
    await within(Promise.all([raw.gone, idle.gone]), "the end of the sockets");
  });

  test("delivers what was sent before the signal, and then closes", async () => {
    const server = await ownServer(runtime);
    const [one, two] = [await server.connect(), await server.connect()];
    for (let count = 0; count < 100; count++) one.send(`${two.id}:${count}`);
    await expect(two.next()).resolves.toBe("0");
    one.send(`${one.id}:all sent`);
    await expect(one.next()).resolves.toBe("all sent");
    server.process.signal("SIGTERM");
    for (let count = 1; count < 100; count++) await expect(two.next()).resolves.toBe(String(count));
    await expect(two.untilClosed()).resolves.toMatchObject({ code: 1001 });
  });

  test("ends the process at once after a second signal", async () => {
    const server = await ownServer(runtime);
    const { raw } = await server.connectRaw();
    server.process.signal("SIGTERM");
    await expect(raw.closeCode()).resolves.toBe(1001);
    if (runtime.exceptions.skipsClosingHandshake !== undefined) {
      expect((await server.process.untilExit()).code).toBe(0);
      return;
    }
    server.process.signal("SIGTERM");
    expect((await server.process.untilExit()).code).toBe(1);
  });
});
