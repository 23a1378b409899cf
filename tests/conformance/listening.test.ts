import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { opened } from "./client.ts";
import { makeFolder } from "./folder.ts";
import { makeKeyPair } from "./key-pair.ts";
import { type Runtime, runtimes, withoutTask } from "./runtimes.ts";
import { ownProcess, ownServer } from "./subject.ts";
import { until, within } from "./wait.ts";

describe.each(runtimes)("a relay on $name", (runtime) => {
  test("listens on a Unix socket that a killed process left, below a path, and is told clients' addresses", async () => {
    const folder = makeFolder();
    const socket = join(folder, "relay.sock");
    await leaveStaleSocket(socket);
    const env = { RELAY_SOCKET: socket, RELAY_BASE_PATH: "/a.b/relay", RELAY_TRUSTED_PROXIES: "unix" };
    // Without the right to write files, Deno makes no Unix socket.
    const server = await ownServer(withoutTask(runtime, "--allow-write"), { env });
    const open = (path: string, forwardedFor: string) =>
      opened(
        new WebSocket(`ws+unix://${socket}:${path}`, { headers: { "X-Forwarded-For": `9.9.9.9, ${forwardedFor}` } }),
      );
    const one = await open("/a.b/relay/ws?from=1", "192.0.2.1");
    const two = await open("/a.b/relay/ws", "2001:db8::2");
    two.send("1:hello");
    await expect(one.next()).resolves.toBe("2:hello");
    const isOne = ({ id, message }: { id?: string; message: string }) => id === "1" && message.startsWith("connected");
    await expect(server.process.log.find(isOne, "the connect of 1")).resolves.toMatchObject({ address: "192.0.2.1" });
    for (const path of ["/ws", "/axb/relay/ws", "/a.b/relay/ws/"]) {
      await expect(open(path, "192.0.2.1")).rejects.toThrow("404");
    }
    server.process.signal("SIGTERM");
    await expect(one.untilClosed()).resolves.toMatchObject({ code: 1001 });
    expect((await server.process.untilExit()).code).toBe(0);
  });

  test("speaks TLS, and takes a new certificate on SIGHUP, unless it is a bad one", async () => {
    const folder = makeFolder();
    const [first, second] = [makeKeyPair(folder, "first"), makeKeyPair(folder, "second")];
    const server = await ownServer(runtime, { env: { RELAY_TLS_CERT: first.cert, RELAY_TLS_KEY: first.key } });
    const url = `wss://localhost:${server.port}/ws`;
    const one = await opened(new WebSocket(url, { ca: first.certText }));
    const reload = async (cert: string, key: string): Promise<string> => {
      writeFileSync(first.cert, cert);
      writeFileSync(first.key, key);
      server.process.signal("SIGHUP");
      const isOutcome = ({ message }: { message: string }) => message.includes("certificate");
      return (await server.process.log.find(isOutcome, "the outcome of SIGHUP")).message;
    };
    await expect(reload(first.certText, second.keyText)).resolves.toContain("it is not the key of the certificate");
    await expect(reload("", second.keyText)).resolves.toContain('kept the old certificate: "Cannot read');
    await expect(subjectAt(server.port)).resolves.toBe("first");
    const replaced = await reload(second.certText, second.keyText);
    if (runtime.exceptions.keepsCertificate !== undefined) {
      expect(replaced).toContain("takes one only at the start");
      return;
    }
    expect(replaced).toContain("read the certificate again, valid until");
    await until(async () => (await subjectAt(server.port)) === "second", "the new certificate");
    const two = await opened(new WebSocket(url, { ca: second.certText }));
    two.send("1:over the old connection");
    await expect(one.next()).resolves.toBe("over the old connection");
    server.process.signal("SIGTERM");
    for (const client of [one, two]) await expect(client.untilClosed()).resolves.toMatchObject({ code: 1001 });
    expect((await server.process.untilExit()).code).toBe(0);
  });
});

describe("a relay that cannot listen as it should", () => {
  const folder = makeFolder();
  const { cert } = makeKeyPair(folder, "first");
  const { key: otherKey } = makeKeyPair(folder, "second");
  test.each<[string, Readonly<Record<string, string>>]>([
    [`Cannot use the key ${otherKey}`, { RELAY_TLS_CERT: cert, RELAY_TLS_KEY: otherKey }],
    ["Cannot read the key: ENOENT", { RELAY_TLS_CERT: cert, RELAY_TLS_KEY: join(folder, "none") }],
    ["RELAY_TRUSTED_PROXIES has unix, without RELAY_SOCKET", { RELAY_TRUSTED_PROXIES: "unix" }],
  ])("ends with 78: %s", async (message, env) => {
    const [runtime] = runtimes;
    const exit = await ownProcess(runtime as Runtime, { env }).untilExit();
    expect(exit).toMatchObject({ code: 78, stderr: expect.stringContaining(`Cannot start: ${message}`) });
  });
});

/** Leaves the file of a Unix socket that nobody listens on. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.old`, resolve));
  renameSync(`${path}.old`, path);
  await new Promise((resolve) => server.close(resolve));
}

/** Returns the common name of the certificate that a server shows. */
function subjectAt(port: number): Promise<string> {
  const shown = new Promise<string>((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
  onTestFinished(() => void shown.catch(() => {}));
  return within(shown, "a certificate");
}
