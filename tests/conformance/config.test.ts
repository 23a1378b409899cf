import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ROOT, runtimes } from "./runtimes.ts";
import { ownProcess, ownServer } from "./subject.ts";

/** Settings, each with an invalid value. */
const WRONG = {
  HOST: "not a host",
  PORT: "65536",
  RELAY_HEARTBEAT_MS: "5s",
  RELAY_HEARTBEAT_MISSES: "0",
  RELAY_MAX_MESSAGE_BYTES: "-1",
  RELAY_MAX_BUFFERED_BYTES: "1e6",
  RELAY_MAX_CONNECTIONS: "many",
  RELAY_MAX_ROOMS_PER_SESSION: "0",
  RELAY_RESUME_MS: "-1",
  RELAY_LOG: "loud",
};

const FLAGS = [
  "--host",
  "--port",
  "--heartbeat-ms",
  "--heartbeat-misses",
  "--max-message-bytes",
  "--max-buffered-bytes",
  "--max-connections",
  "--max-rooms-per-session",
  "--resume-ms",
  "--log",
];

describe.each(runtimes)("the start of the relay on $name", (runtime) => {
  test("names every invalid setting at once, and exits with 78", async () => {
    const { code, stderr, stdout } = await ownProcess(runtime, { env: WRONG }).untilExit();
    expect(code).toBe(78);
    for (const [name, value] of Object.entries(WRONG))
      expect(stderr).toContain(`Cannot start: ${name} is "${value}", expected `);
    expect(stdout).not.toContain("listening");
  });

  test("names the flag where the invalid value came from a flag", async () => {
    const { code, stderr } = await ownProcess(runtime, { args: ["--max-connections", "many"] }).untilExit();
    expect(code).toBe(78);
    expect(stderr).toContain('--max-connections is "many"');
  });

  test("names an unknown flag, a flag without a value and a stray word, and exits with 78", async () => {
    for (const args of [["--max-conections", "5"], ["--port"], ["serve"]]) {
      const { code, stderr } = await ownProcess(runtime, { args }).untilExit();
      expect(code).toBe(78);
      expect(stderr).toMatch(new RegExp(`Cannot start: .*${args[0]}`));
    }
  });

  test("warns about unknown RELAY_ variables by name, and goes on", async () => {
    const server = await ownServer(runtime, { env: { RELAY_HEARTBEATS_MS: "1", RELAY_OTHER: "x" } });
    const warning = await server.process.log.find(({ level }) => level === "WARN", "the warning");
    expect(warning.message).toContain("RELAY_HEARTBEATS_MS, RELAY_OTHER");
    await server.relayOne();
  });

  test("takes a setting from its flag before the environment", async () => {
    const server = await ownServer(runtime, {
      env: { RELAY_MAX_MESSAGE_BYTES: "10" },
      args: ["--max-message-bytes", "20"],
    });
    const client = await server.open();
    client.send("1:of 15 bytes.");
    await expect(client.next()).resolves.toBe("of 15 bytes.");
    client.send("1:of more than twenty");
    await expect(client.untilClosed()).resolves.toMatchObject({ code: 1009 });
  });

  test("with --help lists every setting, and exits with 0", async () => {
    const { code, stdout } = await ownProcess(runtime, { args: ["--help"] }).untilExit();
    expect(code).toBe(0);
    for (const name of [...Object.keys(WRONG), ...FLAGS]) expect(stdout).toContain(name);
  });

  test.each(["--version", "-V"])("with %s prints the package's version, and exits with 0", async (flag) => {
    const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { version: string };
    await expect(ownProcess(runtime, { args: [flag] }).untilExit()).resolves.toMatchObject({
      code: 0,
      stdout: `${version}\n`,
    });
  });

  test("accepts -p for --port", async () => {
    const { port } = await ownServer(runtime);
    const { code, stderr } = await ownProcess(runtime, { args: ["-p", String(port)] }).untilExit();
    expect(code).toBe(1);
    expect(stderr).toContain(`127.0.0.1:${port}`);
  });

  test("on a port that is taken ends with a sentence and exit code 1", async () => {
    const { port } = await ownServer(runtime);
    const { code, stderr } = await ownProcess(runtime, { env: { PORT: String(port) } }).untilExit();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: .*; choose another with --port$`, "m"),
    );
  });
});
