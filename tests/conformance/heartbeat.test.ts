import { describe, expect, onTestFinished, test } from "vitest";
import { encodeFrame, OPCODES } from "./frames.ts";
import type { LogLine } from "./process.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";

describe.each(runtimes)("the heartbeat on $name", (runtime) => {
  const server = sharedServer(runtime, { env: { RELAY_HEARTBEAT_MS: "200" } });

  test("keeps a client that sends nothing but answers pings", async () => {
    const [one, quiet] = [await server().connect(), await server().connect()];
    await outliveSilentClients(server());
    one.send(`${quiet.id}:still there?`);
    await expect(quiet.next()).resolves.toBe("still there?");
  });

  test("keeps a client that answers no ping but sends frames", async () => {
    const one = await server().connect();
    const { raw, id } = await server().connectRaw();
    repeat(() => raw.text(`${id}:`));
    await outliveSilentClients(server());
    raw.text(`${one.id}:still here`);
    await expect(one.next()).resolves.toBe("still here");
  });

  test("keeps a client that answers no ping but sends its own pings, and answers them", async () => {
    const one = await server().connect();
    const { raw } = await server().connectRaw();
    repeat(() => raw.send({ opcode: OPCODES.ping, payload: "mine" }));
    if (runtime.exceptions.ignoresClientPings !== undefined) {
      await raw.gone;
      return;
    }
    await outliveSilentClients(server());
    raw.text(`${one.id}:still here`);
    await expect(one.next()).resolves.toBe("still here");
    expect((await raw.frame(OPCODES.pong)).payload.toString()).toBe("mine");
  });

  test("drops a silent client, and frees its id", async () => {
    const one = await server().connect();
    const { id, raw } = await server().connectRaw();
    const lines = await logUntilLeft(server(), id);
    const seen = lines.map(({ message, misses, by, code }) => ({ what: message.split(/ "|,/)[0], misses, by, code }));
    if (runtime.exceptions.detectsSilenceItself === undefined) {
      expect(seen).toEqual([
        { what: "heartbeat missed", misses: 1 },
        { what: "heartbeat missed", misses: 2 },
        { what: "heartbeat missed", misses: 3 },
        { what: "left", by: "heartbeat", code: 1006 },
      ]);
    } else {
      expect(seen).toMatchObject([{ what: "left", code: 1006 }]);
    }
    await raw.gone;
    one.send(`${id}:are you there?`);
    await expect(one.next()).resolves.toMatch(/^:error no_such_id /);
  });

  test("drops a silent client although the relay sends messages to it", async () => {
    const one = await server().connect();
    const { id } = await server().connectRaw();
    repeat(() => one.send(`${id}:are you there?`));
    await logUntilLeft(server(), id);
  });

  test("keeps a client that takes many beats to send one large frame, and relays its message", async () => {
    const one = await server().connect();
    const { raw, id } = await server().connectRaw();
    const message = "x".repeat(100_000);
    const frame = encodeFrame({ opcode: OPCODES.text, payload: `${one.id}:${message}` });
    let written = 0;
    repeat(() => {
      const piece = frame.subarray(written, Math.min(written + 500, frame.length - 1000));
      raw.write(piece);
      written += piece.length;
    });
    if (runtime.exceptions.ignoresPartialFrames !== undefined) {
      await logUntilLeft(server(), id);
      return;
    }
    await outliveSilentClients(server());
    raw.write(frame.subarray(written));
    written = frame.length;
    expect((await one.next()) === message).toBe(true);
  });
});

/** Runs the action every quarter of a beat, until the test has finished. */
function repeat(action: () => void): void {
  const timer = setInterval(action, 50);
  onTestFinished(() => clearInterval(timer));
}

/** Waits until the heartbeat has dropped three silent clients, one after the other. */
async function outliveSilentClients(server: Server): Promise<void> {
  for (let count = 0; count < 3; count++) {
    const { id } = await server.connectRaw();
    await logUntilLeft(server, id);
  }
}

/** Waits until the log says that the client has left. @returns The log's lines about it, without its connect line. */
async function logUntilLeft(server: Server, id: string): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (;;) {
    const line = await server.process.log.find((one) => one.id === id, `${id} to leave`);
    if (line.message.startsWith("connected")) continue;
    lines.push(line);
    if (line.message.startsWith("left")) return lines;
  }
}
