import { describe, expect, test } from "vitest";
import { runtimes } from "./runtimes.ts";
import { ownServer } from "./subject.ts";

describe.each(runtimes)("the log on $name", (runtime) => {
  test("at level debug has each connection, message and beat, with the id", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "debug", RELAY_HEARTBEAT_MS: "100" } });
    const log = server.process.log;
    const one = await server.open();
    const connected = await log.find(({ message }) => message.startsWith("connected"), "a line about the connection");
    expect(connected).toMatchObject({ level: "INFO", id: "1" });
    one.send("1:您好");
    await expect(one.next()).resolves.toBe("您好");
    const received = await log.find(({ message }) => message.startsWith("received"), "a line about the received frame");
    expect(received).toMatchObject({ level: "DEBUG", id: "1", content: "1:您好" });
    const sent = await log.find(({ message }) => message.startsWith("sent"), "a line about the sent frame");
    expect(sent).toMatchObject({ level: "DEBUG", id: "1", content: "您好" });
    if (runtime.exceptions.detectsSilenceItself === undefined) {
      const beat = await log.find(({ message }) => message.startsWith("heartbeat ok"), "a line about a beat");
      expect(beat).toMatchObject({ level: "DEBUG", id: "1" });
    }
    await one.close(1000);
    const left = await log.find(({ message }) => message.startsWith("left"), "a line about the end");
    expect(left).toMatchObject({ level: "INFO", id: "1", by: "client", code: 1000 });
  });

  test("cuts a frame's content at 200 characters", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "debug" } });
    const one = await server.open();
    for (const content of [`1:${"x".repeat(300)}`, Buffer.from(`1:${"x".repeat(300)}`)]) {
      one.send(content);
      const received = await server.process.log.find(
        ({ message }) => message.startsWith("received"),
        "the received frame",
      );
      expect(received.content).toBe(`1:${"x".repeat(198)}…`);
    }
  });

  test("at level info has connections and their ends, and no content", async () => {
    const server = await ownServer(runtime);
    const one = await server.open();
    one.send("1:a secret");
    await expect(one.next()).resolves.toBe("a secret");
    await one.close();
    const { log } = server.process;
    await expect(log.next("the warning")).resolves.toMatchObject({ message: expect.stringContaining("RELAY_ORIGINS") });
    await expect(log.next("a line about the connection")).resolves.toMatchObject({
      message: expect.stringMatching(/^connected /),
      id: "1",
    });
    await expect(log.next("a line about the end")).resolves.toMatchObject({ id: "1", by: "client", code: 1005 });
    expect(server.process.stderr).not.toContain("secret");
  });

  test("has a client's address, origin and protocol, and the reason of a refusal", async () => {
    const server = await ownServer(runtime, { env: { RELAY_ORIGINS: "https://good.example" } });
    await server.openRaw({ headers: { Origin: "https://good.example", "Sec-WebSocket-Protocol": "relay.v1.text" } });
    const { log } = server.process;
    await expect(
      log.find(({ message }) => message.startsWith("connected"), "a line about the connection"),
    ).resolves.toMatchObject({
      level: "INFO",
      id: "1",
      address: "127.0.0.1",
      origin: "https://good.example",
      protocol: "relay.v1.text",
    });
    await expect(server.openRaw({ headers: { Origin: "https://bad.example" } })).rejects.toThrow("403");
    await expect(
      log.find(({ message }) => message.startsWith("refused"), "a line about the refusal"),
    ).resolves.toMatchObject({
      level: "INFO",
      address: "127.0.0.1",
      origin: "https://bad.example",
      path: "/ws",
      status: 403,
      code: "forbidden_origin",
      reason: expect.stringContaining("Cannot connect"),
    });
  });

  test("can lose its reader without ending the relay", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "debug" } });
    server.process.closeLogReader();
    // Each of these writes many lines.
    for (let count = 0; count < 5; count++) await server.relayOne();
    server.process.signal("SIGTERM");
    expect((await server.process.untilExit()).code).toBe(0);
  });

  test("at level warning has no connections and no shutdown", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "warning", RELAY_OTHER: "x" } });
    await server.relayOne();
    await expect(server.process.log.next("the warning")).resolves.toMatchObject({ level: "WARN" });
    server.process.signal("SIGTERM");
    expect((await server.process.untilExit()).stderr).not.toMatch(/connected|left|shutting down/);
  });

  test("is written as one JSON object a line, with the time, where stderr is no terminal", async () => {
    const server = await ownServer(runtime);
    await server.open();
    const line = await server.process.log.next("a line");
    expect(Date.parse(String(line["@timestamp"]))).toBeGreaterThan(0);
    expect(line.logger).toBe("relay");
  });

  test("is written for people with RELAY_LOG=info,pretty, even where stderr is no terminal", async () => {
    const server = await ownServer(runtime, { env: { RELAY_LOG: "info,pretty" } });
    const one = await server.open();
    await one.close();
    server.process.signal("SIGTERM");
    const { stderr } = await server.process.untilExit();
    expect(stderr).toMatch(/connected .?1/);
    expect(stderr).not.toContain('{"@timestamp"');
  });
});
