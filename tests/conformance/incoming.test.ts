import { describe, expect, test } from "vitest";
import { encodeFrame, OPCODES } from "./frames.ts";
import type { RawClient } from "./raw.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { ownServer } from "./subject.ts";
import { until } from "./wait.ts";

const MEBIBYTE = 1_048_576;
const SETTINGS = { env: { RELAY_LOG: "warning", RELAY_MAX_TOTAL_BUFFERED_BYTES: String(16 * MEBIBYTE) } };
/** Memory that a connection may take, with the part of a message that is not counted, in bytes. */
const CONNECTION_BYTES = 131_072;
/** With the pieces that hold them 390 MB. */
const FRAGMENTS = 6000;
const CUT_MESSAGES = 60;
/** Messages of 1 MiB for which the budget has memory: half a byte of each byte is counted, of 4 MiB. */
const MOST_HELD = 8;
/** A node:http entry reads pieces of this size. */
const PIECE_BYTES = 65_536;
const { text, continuation, ping, pong } = OPCODES;

/** One fragment of one byte, and unasked pongs until the piece is full. */
function fragmentAmongPongs(): Buffer {
  const fragment = encodeFrame({ opcode: continuation, payload: "x", fin: false });
  const filler = encodeFrame({ opcode: pong, payload: "p".repeat(125) });
  const pongs = Math.floor((PIECE_BYTES - fragment.length) / filler.length);
  return Buffer.concat([fragment, ...Array.from({ length: pongs }, () => filler)]);
}

/** A message of 1 MiB to nobody, without its last byte; its mask is 0. */
function cutMessage(): Buffer {
  const payload = Buffer.alloc(MEBIBYTE - 1, "x");
  payload.write("nobody:");
  const head = Buffer.alloc(14);
  head[0] = 0x80 | text;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(MEBIBYTE), 2);
  return Buffer.concat([head, payload]);
}

/** Resident memory that the process stays under with so many clients, in bytes; docs/reliability.md has the formula. */
function lineOf(runtime: Runtime, connections: number): number {
  return runtime.baseBytes + 16 * MEBIBYTE + connections * CONNECTION_BYTES;
}

/** Sends a client's message to itself over a new connection. @returns Whether it arrives. */
async function arrives(server: Server, bytes: number): Promise<boolean> {
  const client = await server.connect();
  client.send(`${client.id}:${"x".repeat(bytes)}`);
  const received = await client.next().catch(() => undefined);
  client.drop();
  return received !== undefined && received.length === bytes;
}

describe.each(runtimes)("a message that is never complete on $name", (runtime) => {
  const isCounted = runtime.exceptions.incompleteIsNotCounted === undefined;

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
    if (runtime.exceptions.buffersFloods === undefined) {
      expect(server.process.peakBytes).toBeLessThan(lineOf(runtime, 4));
    }
    await server.relayOne();
  });

  test("takes its memory from the budget, and gives way to clients that complete theirs", async () => {
    const server = await ownServer(runtime, SETTINGS);
    await server.relayOne();
    const stalled: RawClient[] = [];
    const most = cutMessage();
    while (stalled.length < CUT_MESSAGES) {
      const raw = await server.openRaw();
      raw.write(most);
      stalled.push(raw);
    }
    // Those that have stalled for less than a second give way to nobody.
    await until(() => arrives(server, 900_000), "a large message to arrive");
    for (const raw of stalled) raw.write("x");
    if (isCounted) {
      expect(server.process.peakBytes).toBeLessThan(lineOf(runtime, CUT_MESSAGES));
      const answered = stalled.map((raw) =>
        raw.next().then(
          () => true,
          () => false,
        ),
      );
      expect((await Promise.all(answered)).filter(Boolean).length).toBeLessThanOrEqual(MOST_HELD);
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
      await expect(raw.closed()).resolves.toEqual({ code: 4003, reason });
    } else {
      raw.write("x");
      await expect(raw.next()).resolves.toMatch(/^:error /);
    }
  });

  test("is told from a large message in many fragments, with pings between them, which arrives", async () => {
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
