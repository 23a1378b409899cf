import { describe, expect, test } from "vitest";
import { encodeFrame, OPCODES } from "./frames.ts";
import type { RawClient } from "./raw.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { until } from "./wait.ts";

const MEBIBYTE = 1_048_576;
const SETTINGS = { env: { RELAY_LOG: "warning", RELAY_MAX_TOTAL_BUFFERED_BYTES: String(16 * MEBIBYTE) } };
/** Memory of one connection in bytes, with the uncounted part of its incomplete message. */
const CONNECTION_BYTES = 131_072;
/** Together with the pieces in which they arrive: 390 MB. */
const FRAGMENTS = 6000;
const CUT_MESSAGES = 60;
/** Incomplete messages of 1 MiB that the budget has room for: 4 MiB, and half of each message's bytes count. */
const MAX_HELD = 8;
/** A node:http entry reads pieces of this size from a socket. */
const PIECE_BYTES = 65_536;
const { text, continuation, ping, pong } = OPCODES;

/** Returns a fragment of one byte, followed by unrequested pongs that fill the piece. */
function fragmentAmongPongs(): Buffer {
  const fragment = encodeFrame({ opcode: continuation, payload: "x", fin: false });
  const filler = encodeFrame({ opcode: pong, payload: "p".repeat(125) });
  const pongs = Math.floor((PIECE_BYTES - fragment.length) / filler.length);
  return Buffer.concat([fragment, ...Array.from({ length: pongs }, () => filler)]);
}

/** Returns a message of 1 MiB without its last byte, to an id that nobody has. Its mask is 0. */
function cutMessage(): Buffer {
  const payload = Buffer.alloc(MEBIBYTE - 1, "x");
  payload.write("nobody:");
  const head = Buffer.alloc(14);
  head[0] = 0x80 | text;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(MEBIBYTE), 2);
  return Buffer.concat([head, payload]);
}

/** Returns the bound of docs/reliability.md for the process's resident memory with this many connections, in bytes. */
function maxResidentBytes(runtime: Runtime, connections: number): number {
  return runtime.baseBytes + 16 * MEBIBYTE + connections * CONNECTION_BYTES;
}

/** Connects a client that sends itself a message. @returns Whether the message arrives. */
async function arrives(server: Server, bytes: number): Promise<boolean> {
  const client = await server.connect();
  client.send(`${client.id}:${"x".repeat(bytes)}`);
  const received = await client.next().catch(() => undefined);
  client.drop();
  return received !== undefined && received.length === bytes;
}

describe.each(runtimes)("a message that is never complete on $name", (runtime) => {
  const isCounted = runtime.exceptions.hidesPartialMessages === undefined;

  test("takes no memory for the control frames between its fragments", async () => {
    const server = await ownServer(runtime, SETTINGS);
    const { raw, id } = await server.connectRaw();
    const piece = fragmentAmongPongs();
    raw.send({ opcode: text, payload: `${id}:`, fin: false });
    for (let count = 0; count < FRAGMENTS; count++) raw.write(piece);
    raw.send({ opcode: continuation });
    await server.relayOne();
    if (isCounted) await expect(raw.closeCode()).resolves.toBe(1008);
    else await expect(raw.next()).resolves.toBe("x".repeat(FRAGMENTS));
    if (runtime.exceptions.buffersWithoutBound === undefined) {
      expect(server.process.peakBytes).toBeLessThan(maxResidentBytes(runtime, 4));
    }
    await server.relayOne();
  });

  test("takes its memory from the budget, and gives way to clients that complete theirs", async () => {
    const server = await ownServer(runtime, SETTINGS);
    await server.relayOne();
    const stalled: RawClient[] = [];
    const incomplete = cutMessage();
    while (stalled.length < CUT_MESSAGES) {
      const raw = await server.openRaw();
      raw.write(incomplete);
      stalled.push(raw);
    }
    // A connection gives memory up only after its message has stalled for a second.
    await until(() => arrives(server, 900_000), "a large message to arrive");
    for (const raw of stalled) raw.write("x");
    if (isCounted) {
      expect(server.process.peakBytes).toBeLessThan(maxResidentBytes(runtime, CUT_MESSAGES));
      const answered = stalled.map((raw) =>
        raw.next().then(
          () => true,
          () => false,
        ),
      );
      expect((await Promise.all(answered)).filter(Boolean).length).toBeLessThanOrEqual(MAX_HELD);
    } else {
      for (const raw of stalled) await expect(raw.next()).resolves.toMatch(/^:error /);
    }
    await server.relayOne();
  });

  test("is closed with 4003 where the budget has no room for it", async () => {
    const env = { ...SETTINGS.env, RELAY_MAX_TOTAL_BUFFERED_BYTES: String(2 * MEBIBYTE) };
    const server = await ownServer(runtime, { env });
    const raw = await server.openRaw();
    raw.write(cutMessage());
    if (isCounted) {
      const reason = "The relay has no memory left for this message";
      await expect(raw.closeFrame()).resolves.toEqual({ code: 4003, reason });
    } else {
      raw.write("x");
      await expect(raw.next()).resolves.toMatch(/^:error /);
    }
  });

  test("is not confused with a large message in many fragments with pings between them, which arrives", async () => {
    const server = await ownServer(runtime, SETTINGS);
    const { raw, id } = await server.connectRaw();
    const payload = "x".repeat(50_000);
    for (let round = 0; round < 3; round++) {
      raw.send({ opcode: text, payload: `${id}:`, fin: false });
      for (let count = 0; count < 20; count++) {
        raw.send({ opcode: continuation, payload, fin: false }, { opcode: ping, payload: "between" });
      }
      raw.send({ opcode: continuation });
      await expect(raw.next()).resolves.toBe(payload.repeat(20));
    }
  });
});
