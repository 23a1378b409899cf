import type { Socket } from "node:net";
import process from "node:process";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Link } from "../../../../src/core/link/link.ts";
import { RelaySocket } from "../../../../src/runtime/node/socket.ts";
import { createWsServer } from "../../../../src/runtime/node/ws-server.ts";
import { closePayload, encodeFrame, OPCODES, type WireFrame } from "../../../conformance/frames.ts";

const MAX_MESSAGE_BYTES = 70_000;
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const { continuation, text, binary, close, ping, pong } = OPCODES;

/** Number of random streams, and how many share the turns of the event loop. */
const STREAMS = Number(process.env.READER_STREAMS ?? 3000);
const STREAMS_AT_ONCE = 40;

/** What a link learns of its connection. */
type Report = readonly [event: string, ...details: unknown[]];

/** Who reads: the relay, which answered the handshake; the relay and `ws`, which answered it; or `ws` alone. */
type Way = "directly" | "through the app" | "ws";

const relay = createWsServer({ maxMessageBytes: MAX_MESSAGE_BYTES, closeTimeoutMs: 1000 });

/** A socket that accepts everything that is written. */
class FakeSocket extends Duplex {
  #written = "";

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.#written += bytes.toString("latin1");
    done();
  }

  /** The frames that were written, and whether the server has ended the connection. */
  get sent(): unknown {
    return [this.#written.slice(this.#written.indexOf("\r\n\r\n") + 4), this.writableEnded];
  }

  setTimeout(): void {}
  setNoDelay(): void {}
}

/** Gives one client's bytes, in pieces, to a socket. */
class Server {
  readonly reports: Report[] = [];
  /** Each call of `onPartialMessage`: the memory that is held. */
  readonly held: number[] = [];
  readonly socket = new FakeSocket();
  mayHold = true;

  constructor(way: Way) {
    const report = (...entry: Report): number => this.reports.push(entry);
    const reporting = {
      flush() {},
      onMessage: (payload: Uint8Array, isBinary: boolean) =>
        report("message", isBinary, Buffer.from(payload).toString("latin1")),
      onPong: () => report("pong"),
      onPeerClosing: (code: number) => report("closing", code),
      onSocketGone: () => report("gone"),
      onPartialMessage: (heldBytes: number) => {
        this.held.push(heldBytes);
        return this.mayHold;
      },
    };
    // A socket uses only these methods of its link.
    const link = reporting as unknown as Link;
    const socket = this.socket as unknown as Socket;
    const handshake = { socket, head: Buffer.alloc(0), key: KEY, protocol: undefined, open: () => link };
    if (way === "directly") relay.acceptDirectly(handshake);
    if (way === "through the app") relay.accept({ ...handshake, headers: [] });
    if (way !== "ws") return;
    // Without an address it is the socket of a server.
    const ws = new RelaySocket(null as unknown as string, undefined, { autoPong: false });
    ws.client = { link, answerPing() {} };
    // `ws` gives a socket to its WebSocket by this method, which its types do not have.
    (ws as unknown as Setter).setSocket(socket, Buffer.alloc(0), { maxPayload: MAX_MESSAGE_BYTES });
  }

  /** A piece arrives. The server gets a copy, as it may unmask the bytes in place. */
  receive(piece: Uint8Array): void {
    this.socket.emit("data", Buffer.from(piece));
  }
}

interface Setter {
  setSocket(socket: Socket, head: Buffer, options: { maxPayload: number }): void;
}

/** Waits for the next turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Gives the pieces to three servers, one for each way. A pause stands for the end of a turn. */
async function reportsOf(pieces: readonly (Uint8Array | "pause")[]): Promise<Record<Way, readonly Report[]>> {
  const servers = [new Server("directly"), new Server("through the app"), new Server("ws")] as const;
  // node-ws answers a handshake some ticks later.
  await turn();
  for (const piece of pieces) {
    if (piece === "pause") await turn();
    else for (const server of servers) server.receive(piece);
  }
  await turn();
  await turn();
  for (const { socket } of servers) socket.destroy();
  await turn();
  await turn();
  const [direct, slow, ws] = servers;
  expect(direct.socket.sent).toEqual(slow.socket.sent);
  return { directly: direct.reports, "through the app": slow.reports, ws: ws.reports };
}

function expectSame({ ws, ...others }: Record<Way, readonly Report[]>): void {
  expect(others).toEqual({ directly: ws, "through the app": ws });
}

/** Cuts the bytes into pieces at the positions, which are parts of the whole length. */
function cut(bytes: Buffer, places: readonly number[], pauses: readonly boolean[]): (Buffer | "pause")[] {
  const ends = [...places.map((place) => Math.floor(place * bytes.length)), bytes.length].sort(
    (one, other) => one - other,
  );
  let start = 0;
  return ends.flatMap((end, index) => {
    const piece = bytes.subarray(start, end);
    start = end;
    if (piece.length === 0) return [];
    return pauses[index] === true ? [piece, "pause" as const] : [piece];
  });
}

describe("a client's frames, in pieces of any length, are read as ws reads them", () => {
  const content = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.uint8Array({ maxLength: 140 }),
    fc.constantFrom("", "x".repeat(125), "x".repeat(126), "é".repeat(100), "x".repeat(65_536), "好".repeat(300)),
    fc.constantFrom("x".repeat(MAX_MESSAGE_BYTES), "x".repeat(MAX_MESSAGE_BYTES + 1), `${"x".repeat(60_000)}好`),
  );
  const message = fc.record({ opcode: fc.constantFrom(text, binary), payload: content });
  const control = fc.record({ opcode: fc.constantFrom(ping, pong), payload: fc.string({ maxLength: 125 }) });
  const fragments = fc
    .tuple(
      fc.constantFrom(text, binary),
      fc.array(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 9 })), { minLength: 2, maxLength: 4 }),
      fc.array(control, { maxLength: 2 }),
    )
    .map(([opcode, parts, between]): WireFrame[] =>
      parts.flatMap((payload, index) => [
        { opcode: index === 0 ? opcode : continuation, payload, fin: index === parts.length - 1 },
        ...(index === 0 ? between : []),
      ]),
    );
  const violation = fc.record({
    opcode: fc.nat(15),
    payload: fc.oneof(content, fc.constantFrom(closePayload(1000), closePayload(4001, "later"), Buffer.from([0xff]))),
    fin: fc.boolean(),
    reserved: fc.constantFrom(0, 0, 0, 4, 1),
    masked: fc.constantFrom(true, true, true, false),
  });
  const closing = fc.constantFrom<WireFrame>(
    { opcode: close },
    { opcode: close, payload: closePayload(1000, "bye") },
    { opcode: close, payload: closePayload(1005) },
  );
  const usual = fc.oneof(message, message, message, control);
  const frames = fc
    .array(fc.oneof(usual, usual, usual, fragments, violation, closing), { minLength: 1, maxLength: 8 })
    .map((some) => some.flat());
  const bytes = fc.oneof(
    { weight: 9, arbitrary: frames.map((all) => Buffer.concat(all.map(encodeFrame))) },
    // Valid frames with one byte changed, and bytes without any structure.
    {
      weight: 2,
      arbitrary: fc.tuple(frames, fc.nat(), fc.nat(255)).map(([all, at, byte]) => {
        const wire = Buffer.concat(all.map(encodeFrame));
        wire[at % wire.length] = byte;
        return wire;
      }),
    },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 60 }).map((some) => Buffer.from(some)) },
  );
  const place = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0.0001, 0.001, 0.01));

  const stream = fc
    .tuple(bytes, fc.array(place, { maxLength: 8 }), fc.array(fc.boolean(), { maxLength: 9 }))
    .map(([wire, places, pauses]) => cut(wire, places, pauses));

  test("messages, pongs, and the end", { timeout: 0 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: STREAMS_AT_ONCE, size: "max" }), async (streams) => {
        for (const reports of await Promise.all(streams.map(reportsOf))) expectSame(reports);
      }),
      { numRuns: Math.ceil((STREAMS * 2) / STREAMS_AT_ONCE) },
    );
  });

  test.each([
    ["a short text", [{ opcode: text, payload: "é:好" }]],
    ["a text of two length bytes", [{ opcode: text, payload: "x".repeat(130) }]],
    [
      "fragments among messages",
      [
        { opcode: text, payload: "a" },
        { opcode: text, payload: "b", fin: false },
        { opcode: ping },
        { opcode: continuation, payload: "c" },
        { opcode: binary, payload: "d" },
      ],
    ],
    [
      "a text that is no UTF-8",
      [
        { opcode: text, payload: Buffer.from([0x61, 0xff, 0x62]) },
        { opcode: text, payload: "after" },
      ],
    ],
    [
      "an unmasked frame",
      [
        { opcode: text, payload: "a" },
        { opcode: text, payload: "b", masked: false },
        { opcode: text, payload: "c" },
      ],
    ],
    [
      "a close frame",
      [
        { opcode: text, payload: "a" },
        { opcode: close, payload: closePayload(1000) },
        { opcode: text, payload: "b" },
      ],
    ],
  ] satisfies [string, WireFrame[]][])("cut at each byte, and byte by byte: %s", async (_what, frames) => {
    const wire = Buffer.concat(frames.map(encodeFrame));
    for (let at = 1; at < wire.length; at++) {
      const pieces = [wire.subarray(0, at), wire.subarray(at)];
      expectSame(await reportsOf(pieces));
    }
    const reports = await reportsOf([...wire].flatMap((byte) => [Buffer.from([byte]), "pause" as const]));
    expectSame(reports);
    expect(reports.ws.length).toBeGreaterThan(0);
  });
});

describe("an incomplete message", () => {
  const whole = encodeFrame({ opcode: binary, payload: "x".repeat(MAX_MESSAGE_BYTES) });

  test("is reported with the memory of its pieces, and once more when it is complete", () => {
    const server = new Server("directly");
    server.receive(whole.subarray(0, 66_000));
    server.receive(whole.subarray(66_000, 66_001));
    server.receive(whole.subarray(66_001));
    expect(server.held).toEqual([66_000 + 128, 66_001 + 2 * 128, 0]);
    expect(server.reports).toHaveLength(1);
  });

  test("is dropped with all that follows if the link may not hold it", async () => {
    const server = new Server("directly");
    server.mayHold = false;
    server.receive(whole.subarray(0, 66_000));
    server.receive(whole.subarray(66_000));
    server.receive(encodeFrame({ opcode: text, payload: "after" }));
    await turn();
    expect(server.reports).toEqual([]);
  });
});

test("bytes that nobody had read when the connection was lost are read with the frame that they belong to", async () => {
  const server = new Server("directly");
  const frames = [encodeFrame({ opcode: text, payload: "one" }), encodeFrame({ opcode: text, payload: "two" })];
  const wire = Buffer.concat(frames);
  server.receive(wire.subarray(0, 3));
  server.socket.pause();
  server.socket.push(wire.subarray(3));
  server.socket.destroy();
  await turn();
  await turn();
  expect(server.reports).toEqual([["message", false, "one"], ["message", false, "two"], ["gone"]]);
});
