import type { Socket } from "node:net";
import type { Connection } from "../../core/link/connection.ts";
import type { Frame } from "../../core/protocol/frame.ts";
import type { FairReader } from "./fair-reader.ts";
import { largePayload, writeHead, writeTail } from "./frame-bytes.ts";
import { joinInOwnBuffer, joinInSlab, reuse } from "./slab.ts";

const PING = Buffer.from([0x89, 0x00]);

/** Memory of a queued write besides its bytes: the objects of its buffer, and its entry in the queue. */
const QUEUED_WRITE_BYTES = 512;

/** Ends a connection; see `Connection`. */
export interface Closer {
  close(code: number, reason: string): void;
  terminate(): void;
}

/**
 * A connection over node:http. It writes frames past `ws`, all frames of a turn in one write to the request's own
 * socket. Pongs and close frames, which are written elsewhere, go between whole frames.
 */
export class NodeConnection implements Connection {
  readonly #closer: Closer;
  readonly #socket: Socket;
  readonly #reader: FairReader;
  /** The response to the handshake, until it is written; the first frames leave in the same write. */
  #response = "";
  #queuedWrites = 0;
  /** Callback of a queued write. Created for the first one: most connections never need it. */
  #onWritten: (() => void) | undefined = undefined;

  constructor(closer: Closer, socket: Socket, reader: FairReader) {
    this.#closer = closer;
    this.#socket = socket;
    this.#reader = reader;
  }

  /** Begins with the response to the handshake. To be called before anything is written. */
  beginWith(response: string): void {
    this.#response = response;
  }

  /** Writes the response to the handshake, if it has not left with the first frames. */
  writeResponse(): void {
    if (this.#response !== "") this.#socket.write(this.#takeResponse(), "latin1");
  }

  #takeResponse(): string {
    const response = this.#response;
    this.#response = "";
    return response;
  }

  write(frames: readonly Frame[]): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (frames.some(isLarge)) {
      this.writeResponse();
      this.#writeInParts(frames);
    } else if (socket.writableLength === 0) {
      const bytes = joinInSlab(this.#takeResponse(), frames);
      socket.write(bytes);
      if (socket.writableLength === 0) reuse(bytes);
    } else {
      socket.write(joinInOwnBuffer(this.#takeResponse(), frames), this.#countQueuedWrite());
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
    this.writeResponse();
    this.#closer.close(code, reason);
  }

  terminate(): void {
    this.#closer.terminate();
  }
}

/** Returns the bytes of the frames: large payloads as they are, and what is between them joined. */
function partsOf(frames: readonly Frame[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let small: Frame[] = [];
  const joinSmall = (): void => {
    if (small.length > 0) parts.push(joinInOwnBuffer("", small));
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
