import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Connection } from "../core/connection.ts";
import type { Frame } from "../core/frame.ts";
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
    this.#socket.write(joinInto(Buffer.allocUnsafeSlow(exactBytes(frames)), 0, frames), this.#written);
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
  for (const frame of frames)
    most += LONGEST_HEADER + mostBytes(frame) + (frame.head === undefined ? 0 : mostBytes(frame.head));
  if (most > SLAB_BYTES / 2) return joinInto(Buffer.allocUnsafeSlow(exactBytes(frames)), 0, frames);
  if (used + most > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const joined = joinInto(slab, used, frames);
  used += joined.length;
  return joined;
}

/** The bytes that a payload takes at the most: three for each UTF-16 unit. */
function mostBytes({ payload, bytes }: Frame): number {
  if (bytes !== undefined) return bytes.length;
  return typeof payload === "string" ? payload.length * 3 : payload.length;
}

function exactBytes(frames: readonly Frame[]): number {
  let total = 0;
  for (const frame of frames) {
    const length = frameBytes(frame);
    total += headerBytes(length) + length;
  }
  return total;
}

function frameBytes(frame: Frame): number {
  return payloadBytes(frame) + (frame.head === undefined ? 0 : payloadBytes(frame.head));
}

function payloadBytes(frame: Frame): number {
  const { payload } = frame;
  if (typeof payload !== "string") return payload.length;
  if (frame.shared) frame.bytes ??= Buffer.from(payload);
  return frame.bytes === undefined ? Buffer.byteLength(payload) : frame.bytes.length;
}

function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

function joinInto(target: Buffer, start: number, frames: readonly Frame[]): Buffer {
  let at = start;
  for (const frame of frames) {
    at = writeHeader(target, at, frame.binary ? FIN_BINARY : FIN_TEXT, frameBytes(frame));
    if (frame.head !== undefined) at = writePayload(target, at, frame.head);
    at = writePayload(target, at, frame);
  }
  return target.subarray(start, at);
}

function writeHeader(target: Buffer, at: number, first: number, length: number): number {
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
  return at + headerBytes(length);
}

function writePayload(target: Buffer, at: number, { payload, bytes }: Frame): number {
  const source = bytes ?? payload;
  if (typeof source === "string") return at + target.write(source, at, "utf8");
  target.set(source, at);
  return at + source.length;
}
