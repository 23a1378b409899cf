import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Connection } from "../core/connection.ts";
import type { Frame, Payload } from "../core/frame.ts";
import { Intake } from "./node-intake.ts";

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;
const PING = Buffer.from([0x89, 0x00]);
const LONGEST_HEADER = 10;
const SLAB_BYTES = 16_384;

/** What a write that waits takes besides its bytes: its buffer's own objects, and its place in the queue. */
const WAITING_WRITE_BYTES = 512;

/**
 * Where frames are joined: a slab that is used again as soon as the operating system has taken all, and otherwise used up from its start.
 * A write that waits keeps its slab from being freed, so slabs are small, and a socket that does not take what it has already is given
 * no part of one.
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

  constructor(ws: WebSocket, socket: Socket) {
    this.#ws = ws;
    this.#socket = socket;
    this.#intake = new Intake(ws, socket);
  }

  write(frames: readonly Frame[]): void {
    if (!this.#socket.writable) return;
    if (this.#socket.writableLength === 0) {
      this.#socket.write(join(frames));
      // What is written whole is in nobody's hands any more, and the next may take its place.
      if (this.#socket.writableLength === 0) used = 0;
      return;
    }
    this.#waitingWrites++;
    this.#written ??= () => {
      this.#waitingWrites--;
    };
    this.#socket.write(joinAlone(frames), this.#written);
  }

  bufferedBytes(): number {
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
  for (const { head, payload } of frames) {
    most += LONGEST_HEADER + mostBytes(payload) + (head === undefined ? 0 : mostBytes(head.payload));
  }
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
    const length = payloadBytes(frame) + (frame.head === undefined ? 0 : payloadBytes(frame.head));
    bytes += headerBytes(length) + length;
  }
  return joinInto(Buffer.allocUnsafeSlow(bytes), 0, frames);
}

/** The bytes that a payload takes at the most: three for each UTF-16 unit. */
function mostBytes(payload: Payload): number {
  return typeof payload === "string" ? payload.length * 3 : payload.length;
}

function payloadBytes(frame: Frame): number {
  const { payload } = frame;
  if (typeof payload !== "string") return payload.length;
  return frame.shared ? sharedBytes(frame, payload).length : Buffer.byteLength(payload);
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

/** Writes the frame at `at`; returns where it ends. */
function writeFrame(target: Buffer, at: number, frame: Frame): number {
  // Nearly all text is ASCII. How long it is, one knows when it is written; asking before costs as much as writing it.
  const expected = headerBytes(frame.size);
  const start = at + expected;
  const end = writePayload(target, frame.head === undefined ? start : writePayload(target, start, frame.head), frame);
  const length = end - start;
  const header = headerBytes(length);
  if (header !== expected) target.copyWithin(at + header, start, end);
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

/** Writes a frame's payload, without its head; returns where it ends. */
function writePayload(target: Buffer, at: number, frame: Frame): number {
  const { payload } = frame;
  if (typeof payload === "string" && !frame.shared) return at + target.write(payload, at);
  const bytes = typeof payload === "string" ? sharedBytes(frame, payload) : payload;
  target.set(bytes, at);
  return at + bytes.length;
}

/** The bytes of a text that goes to more than one receiver, made once. */
function sharedBytes(frame: Frame, payload: string): Uint8Array {
  frame.bytes ??= Buffer.from(payload);
  return frame.bytes;
}
