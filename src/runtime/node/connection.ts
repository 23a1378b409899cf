import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Connection } from "../../core/link/connection.ts";
import type { Frame } from "../../core/protocol/frame.ts";
import type { FairReader } from "./fair-reader.ts";
import { largePayload, maxWireBytes, wireBytes, writeFrames, writeHead, writeTail } from "./frame-bytes.ts";

const PING = Buffer.from([0x89, 0x00]);
const SLAB_BYTES = 16_384;

/** Memory of a queued write besides its bytes: the objects of its buffer, and its entry in the queue. */
const QUEUED_WRITE_BYTES = 512;

/**
 * Memory in which the frames of one write are joined. It is filled from its start; when the operating system has taken
 * a write at once, the write's part is used again. A queued write keeps its whole slab in memory. So slabs are small,
 * and a socket with queued writes gets buffers of its own.
 */
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let usedBytes = 0;

/**
 * A connection over node:http. It writes frames past `ws`, all frames of a turn in one write to the request's own
 * socket. Pongs and close frames, which `ws` writes by itself, go between whole frames.
 */
export class NodeConnection implements Connection {
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #reader: FairReader;
  #queuedWrites = 0;
  /** Callback of a queued write. Created for the first one: most connections never need it. */
  #onWritten: (() => void) | undefined = undefined;

  constructor(ws: WebSocket, socket: Socket, reader: FairReader) {
    this.#ws = ws;
    this.#socket = socket;
    this.#reader = reader;
  }

  write(frames: readonly Frame[]): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (frames.some(isLarge)) {
      this.#writeInParts(frames);
    } else if (socket.writableLength === 0) {
      const bytes = joinInSlab(frames);
      socket.write(bytes);
      if (socket.writableLength === 0 && bytes.buffer === slab.buffer) usedBytes -= bytes.length;
    } else {
      socket.write(joinInOwnBuffer(frames), this.#countQueuedWrite());
    }
  }

  /** Writes large payloads as they are, without a copy, and what is between them joined; all in one write. */
  #writeInParts(frames: readonly Frame[]): void {
    const socket = this.#socket;
    const onWritten = this.#countQueuedWrite();
    socket.cork();
    // Only one part has the callback: together they count as one write.
    for (const [index, part] of partsOf(frames).entries()) socket.write(part, index === 0 ? onWritten : undefined);
    socket.uncork();
  }

  /** Counts a write until it is done. @returns The callback of the write. */
  #countQueuedWrite(): () => void {
    this.#queuedWrites++;
    this.#onWritten ??= () => {
      this.#queuedWrites--;
    };
    return this.#onWritten;
  }

  bufferedBytes(): number {
    // A destroyed socket has freed its queued bytes, but still reports their number.
    if (this.#socket.destroyed) return 0;
    return this.#socket.writableLength + this.#queuedWrites * QUEUED_WRITE_BYTES;
  }

  receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  slowDown(): void {
    this.#reader.slowDown();
  }

  ping(): void {
    if (this.#socket.writable) this.#socket.write(PING);
  }

  close(code: number, reason: string): void {
    this.#reader.stop();
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }
}

/** Returns the bytes of the frames: large payloads as they are, and what is between them joined. */
function partsOf(frames: readonly Frame[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let small: Frame[] = [];
  const joinSmall = (): void => {
    if (small.length > 0) parts.push(joinInOwnBuffer(small));
    small = [];
  };
  for (const frame of frames) {
    const payload = largePayload(frame);
    if (payload === undefined) {
      small.push(frame);
      continue;
    }
    joinSmall();
    parts.push(writeHead(frame, payload.length), payload);
    const tail = writeTail(frame);
    if (tail !== undefined) parts.push(tail);
  }
  joinSmall();
  return parts;
}

function isLarge(frame: Frame): boolean {
  return largePayload(frame) !== undefined;
}

/** Joins the frames in the slab; in a buffer of their own where they may not fit. */
function joinInSlab(frames: readonly Frame[]): Buffer {
  let maxBytes = 0;
  for (const frame of frames) maxBytes += maxWireBytes(frame);
  if (maxBytes > SLAB_BYTES) return joinInOwnBuffer(frames);
  if (usedBytes + maxBytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    usedBytes = 0;
  }
  const joined = writeFrames(slab, usedBytes, frames);
  usedBytes += joined.length;
  return joined;
}

/** Joins the frames in a new buffer of exactly their length. */
function joinInOwnBuffer(frames: readonly Frame[]): Buffer {
  let bytes = 0;
  for (const frame of frames) bytes += wireBytes(frame);
  return writeFrames(Buffer.allocUnsafeSlow(bytes), 0, frames);
}
