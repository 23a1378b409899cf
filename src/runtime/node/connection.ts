import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Connection } from "../../core/link/connection.ts";
import type { Frame, SharedBytes } from "../../core/protocol/frame.ts";
import type { Intake } from "./intake.ts";

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;
const PING = Buffer.from([0x89, 0x00]);
const LONGEST_HEADER = 10;
/** Of a whole number up to 2^53 - 1. */
const MOST_DIGITS = 16;
const DIGIT_0 = 0x30;
const SLAB_BYTES = 16_384;

/** What a write that waits takes besides its bytes: its buffer's own objects, and its place in the queue. */
const WAITING_WRITE_BYTES = 512;

/**
 * Where frames are joined: a slab that is used up from its start. A piece that the operating system has taken whole is given back; others'
 * pieces before it may still wait. A write that waits keeps its slab from being freed, so slabs are small, and a socket that does not
 * take what it has already is given no part of one.
 */
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let used = 0;

/**
 * A connection over node:http, which writes its frames itself, past `ws`: all that a turn has for it in one write to the
 * request's own socket. What `ws` writes by itself (pongs, close) goes between whole frames.
 */
export class NodeConnection implements Connection {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #intake: Intake;
  #waitingWrites = 0;
  /** Made when a write has to wait for the first time: most connections never need it. */
  #written: (() => void) | undefined = undefined;

  constructor(ws: WebSocket, socket: Socket, intake: Intake) {
    this.#ws = ws;
    this.#socket = socket;
    this.#intake = intake;
  }

  write(frames: readonly Frame[]): void {
    if (!this.#socket.writable) return;
    if (this.#socket.writableLength === 0) {
      const piece = join(frames);
      this.#socket.write(piece);
      if (this.#socket.writableLength === 0 && piece.buffer === slab.buffer) used -= piece.length;
      return;
    }
    this.#waitingWrites++;
    this.#written ??= () => {
      this.#waitingWrites--;
    };
    this.#socket.write(joinAlone(frames), this.#written);
  }

  bufferedBytes(): number {
    // A socket that was destroyed has let its bytes go, and still reports them.
    if (this.#socket.destroyed) return 0;
    return this.#socket.writableLength + this.#waitingWrites * WAITING_WRITE_BYTES;
  }

  receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  slowDown(): void {
    this.#intake.slowDown();
  }

  ping(): void {
    if (this.#socket.writable) this.#socket.write(PING);
  }

  close(code: number, reason: string): void {
    this.#intake.stop();
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }
}

/** The frames as they go on the wire (RFC 6455 §5.2), one after the other in one piece. */
function join(frames: readonly Frame[]): Buffer {
  let most = 0;
  for (const frame of frames) most += mostBytes(frame);
  if (most > SLAB_BYTES) return joinAlone(frames);
  if (used + most > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const joined = joinInto(slab, used, frames);
  used += joined.length;
  return joined;
}

/** The same in a buffer of its own that is no larger than it has to be. */
function joinAlone(frames: readonly Frame[]): Buffer {
  let bytes = 0;
  for (const frame of frames) {
    const length = exactBytes(frame);
    bytes += headerBytes(length) + length;
  }
  return joinInto(Buffer.allocUnsafeSlow(bytes), 0, frames);
}

/** What a frame takes at the most: three bytes for each UTF-16 unit of its payload. */
function mostBytes({ size, payload }: Frame): number {
  return LONGEST_HEADER + MOST_DIGITS + size + (typeof payload === "string" ? payload.length * 2 : 0);
}

function exactBytes(frame: Frame): number {
  const { payload, envelope, address, number } = frame;
  const bytes = typeof payload === "string" ? textBytes(frame, payload) : payload.length;
  return envelope === undefined ? bytes : bytes + envelope.size + address.length + digitsOf(number);
}

function textBytes({ shared }: Frame, text: string): number {
  return shared === undefined ? Buffer.byteLength(text) : bytesOf(shared, text).length;
}

/** The bytes of a text that goes to more than one receiver, made once. */
function bytesOf(shared: SharedBytes, text: string): Uint8Array {
  shared.bytes ??= Buffer.from(text);
  return shared.bytes;
}

function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

function joinInto(target: Buffer, start: number, frames: readonly Frame[]): Buffer {
  let at = start;
  for (const frame of frames) at = writeFrame(target, at, frame);
  return target.subarray(start, at);
}

/** Writes the frame at `at`; returns where it ends, as all of these do. */
function writeFrame(target: Buffer, at: number, frame: Frame): number {
  // Nearly all text is ASCII. How long it is, one knows when it is written; asking before costs as much as writing it.
  const expected = headerBytes(frame.size);
  const start = at + expected;
  const length = writeContent(target, start, frame) - start;
  const header = headerBytes(length);
  if (header !== expected) target.copyWithin(at + header, start, start + length);
  writeHeader(target, at, frame.binary ? FIN_BINARY : FIN_TEXT, length);
  return at + header + length;
}

function writeHeader(target: Buffer, at: number, first: number, length: number): void {
  target[at] = first;
  if (length < 126) {
    target[at + 1] = length;
  } else if (length < 65_536) {
    target[at + 1] = 126;
    target.writeUInt16BE(length, at + 2);
  } else {
    target[at + 1] = 127;
    target.writeUInt32BE(0, at + 2);
    target.writeUInt32BE(length, at + 6);
  }
}

function writeContent(target: Buffer, start: number, frame: Frame): number {
  const { envelope, address, number } = frame;
  if (envelope === undefined) return writePayload(target, start, frame);
  let at = writeFixedText(target, start, envelope.start.bytes);
  at = writeAscii(target, at, address);
  at = writeFixedText(target, at, envelope.beforePayload.bytes);
  at = writePayload(target, at, frame);
  at = writeFixedText(target, at, envelope.beforeNumber.bytes);
  at = writeNumber(target, at, number);
  return writeFixedText(target, at, envelope.end.bytes);
}

function writePayload(target: Buffer, at: number, { payload, shared }: Frame): number {
  if (payload.length === 0) return at;
  if (typeof payload !== "string") return writeBytes(target, at, payload);
  return shared === undefined ? at + target.write(payload, at) : writeBytes(target, at, bytesOf(shared, payload));
}

function writeBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  target.set(bytes, at);
  return at + bytes.length;
}

/** So few bytes are written sooner one by one than by a call into the runtime. */
function writeFixedText(target: Buffer, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] ?? 0;
  return at + bytes.length;
}

function writeAscii(target: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function writeNumber(target: Buffer, at: number, number: number): number {
  const end = at + digitsOf(number);
  let left = number;
  for (let place = end - 1; place >= at; place--) {
    const tenth = Math.floor(left / 10);
    target[place] = DIGIT_0 + (left - tenth * 10);
    left = tenth;
  }
  return end;
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let power = 10; power <= number; power *= 10) digits++;
  return digits;
}
