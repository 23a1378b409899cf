import type { Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Envelope } from "../../../../src/core/protocol/envelope.ts";
import { Frame, frameText } from "../../../../src/core/protocol/frame.ts";
import { NodeConnection } from "../../../../src/runtime/node/connection.ts";
import type { FairReader } from "../../../../src/runtime/node/fair-reader.ts";
import { anyBytes, anyId, anyText, asPayload } from "../../arbitraries.ts";

/** A socket that keeps a copy of the bytes of each write, and joins the writes within a cork. */
class FakeSocket {
  writable = true;
  writableLength = 0;
  readonly writes: Buffer[] = [];
  #corked: Buffer[] | undefined = undefined;

  cork(): void {
    this.#corked = [];
  }

  uncork(): void {
    this.writes.push(Buffer.concat(this.#corked ?? []));
    this.#corked = undefined;
  }

  write(bytes: Buffer): void {
    (this.#corked ?? this.writes).push(Buffer.from(bytes));
  }
}

function open(queuedBytes: number, socket = new FakeSocket()): { socket: FakeSocket; connection: NodeConnection } {
  socket.writableLength = queuedBytes;
  const client = { close() {}, terminate() {} };
  // A connection uses only these members of its socket, and does not use the reader to write.
  return { socket, connection: new NodeConnection(client, socket as unknown as Socket, {} as FairReader) };
}

/** A socket that queues every write, and keeps the very buffers that it was given. */
class FullSocket extends FakeSocket {
  override write(bytes: Buffer): void {
    this.writes.push(bytes);
    this.writableLength += bytes.length;
  }

  override cork(): void {}
  override uncork(): void {}
}

/** Parses unmasked final frames (RFC 6455 §5.2). */
function parseFrames(bytes: Buffer): [opcode: number, payload: string][] {
  const frames: [number, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at);
    expect(first & 0xf0).toBe(0x80);
    const short = bytes.readUInt8(at + 1);
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length =
      header === 2 ? short : header === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    // A header must be the shortest that can hold the length (RFC 6455 §5.2).
    expect(header).toBe(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    expect(at + header + length).toBeLessThanOrEqual(bytes.length);
    frames.push([first & 0x0f, bytes.toString("latin1", at + header, at + header + length)]);
    at += header + length;
  }
  return frames;
}

function expected(frame: Frame): [number, string] {
  const content = frame.envelope === undefined ? frame.payload : frameText(frame);
  return [frame.binary ? 2 : 1, Buffer.from(content).toString("latin1")];
}

function expectWritten(frames: readonly Frame[], queuedBytes: number): void {
  const { socket, connection } = open(queuedBytes);
  connection.write(frames);
  expect(socket.writes.length).toBe(1);
  expect(socket.writes.flatMap(parseFrames)).toEqual(frames.map(expected));
}

describe.each([
  ["no queued bytes", 0],
  ["queued bytes", 1],
])("the bytes written to a socket with %s", (_state, queuedBytes) => {
  const length = fc.constantFrom(
    0,
    1,
    41,
    42,
    43,
    62,
    63,
    124,
    125,
    126,
    127,
    400,
    5400,
    21_800,
    65_535,
    65_536,
    70_000,
  );
  const words = fc.oneof(
    anyText,
    fc.tuple(fc.constantFrom("x", "é", "好", "😀", "\ud83d"), length).map(([unit, times]) => unit.repeat(times)),
  );
  const number = fc.oneof(
    fc.maxSafeNat(),
    fc.constantFrom(0, 9, 10, 99, 2 ** 31, 2 ** 32, 999_999_999_999_999, 2 ** 53 - 1),
  );
  const envelope = fc.constantFrom(
    new Envelope('{"type":"message","from":"', '","data":"', '","sequenceId":', "}"),
    new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"delivered"}'),
    new Envelope("", "", "", ""),
  );
  const payload = asPayload(fc.oneof(words, fc.constant("")));
  const text = fc
    .tuple(payload, fc.option(envelope, { nil: undefined }), anyId, number, fc.boolean())
    .map(([content, around, address, digits, isShared]) => {
      const frame = new Frame(content, false, around, address, digits);
      if (isShared) frame.share();
      return frame;
    });
  const frame = fc.oneof(
    text,
    anyBytes.map((bytes) => new Frame(bytes, true)),
  );

  test("are the frames in order, in one write", () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 12 }), (frames) => expectWritten(frames, queuedBytes)),
      { numRuns: 500 },
    );
  });

  test.each([125, 126, 65_535, 65_536])(
    "have a header with the text's length in bytes, not in characters: %i bytes",
    (bytes) => {
      for (const unit of ["x", "é", "好", "😀"]) {
        const units = Math.floor(bytes / Buffer.byteLength(unit));
        const text = unit.repeat(units) + "x".repeat(bytes - units * Buffer.byteLength(unit));
        expectWritten([new Frame(text, false), new Frame("after", false)], queuedBytes);
        expectWritten([new Frame(text, false)], queuedBytes);
      }
    },
  );
});

test("queued bytes are not overwritten by later writes", () => {
  const { connection: reader } = open(0);
  const waiting = Array.from({ length: 2000 }, (_, turn) => {
    const { socket, connection } = open(0, new FullSocket());
    connection.write([new Frame(`${turn}好`, false)]);
    reader.write([new Frame("to a client that reads", false)]);
    return socket;
  });
  expect(waiting.flatMap(({ writes }) => writes.flatMap(parseFrames))).toEqual(
    waiting.map((_, turn) => expected(new Frame(`${turn}好`, false))),
  );
});

test("the bytes of a text for many receivers are made once", () => {
  const message = new Frame("to all", false, new Envelope("", "", "#", ""));
  message.share();
  const { connection } = open(0);
  connection.write([message.numbered(1)]);
  const bytes = message.shared?.bytes;
  expect(bytes).toEqual(Buffer.from("to all"));
  connection.write([message.numbered(2)]);
  expect(message.shared?.bytes).toBe(bytes);
});

test("a large payload is written as it is, without a copy", () => {
  const { socket, connection } = open(0, new FullSocket());
  const payload = new Uint8Array(100_000);
  connection.write([new Frame("small", false), new Frame(payload, true), new Frame("after", false)]);
  expect(socket.writes.filter((bytes) => bytes.buffer === payload.buffer)).toEqual([payload]);
});

test("nothing is written to a closed socket", () => {
  const { socket, connection } = open(0);
  socket.writable = false;
  connection.write([new Frame("x", false)]);
  expect(socket.writes).toEqual([]);
});
