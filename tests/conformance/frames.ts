import { randomBytes } from "node:crypto";

/** Opcodes of RFC 6455 §5.2. */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One frame on the wire, as a client sends it. May break RFC 6455. */
export interface WireFrame {
  readonly opcode: number;
  readonly payload?: string | Uint8Array;
  /** Default: true. */
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. Default: 0. */
  readonly reserved?: number;
  /** Default: true, as RFC 6455 §5.3 requires of a client. */
  readonly masked?: boolean;
}

/** One frame as the server sent it. */
export interface ReceivedFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** Returns the frame's bytes (RFC 6455 §5.2). */
export function encodeFrame({ opcode, payload = "", fin = true, reserved = 0, masked = true }: WireFrame): Buffer {
  const body = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  for (let i = 0; masked && i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return Buffer.concat([Buffer.from([first]), encodeLength(body.length, masked), mask, body]);
}

/** Returns a close frame's payload: the code, then the reason. */
export function closePayload(code: number, reason = ""): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return Buffer.concat([bytes, Buffer.from(reason)]);
}

function encodeLength(length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0;
  if (length < 126) return Buffer.from([bit | length]);
  if (length < 65_536) {
    const bytes = Buffer.from([bit | 126, 0, 0]);
    bytes.writeUInt16BE(length, 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9);
  bytes[0] = bit | 127;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

/** Parses a server's frames from a stream of pieces. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must have arrived before the next frame can be complete. */
  #wantedBytes = 2;

  /** Adds a piece. @returns The frames that it completes. */
  read(piece: Buffer): ReceivedFrame[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wantedBytes) return [];
    const frames: ReceivedFrame[] = [];
    let rest = Buffer.concat(this.#pieces);
    for (;;) {
      const end = endOfFrame(rest);
      if (rest.length < end) {
        this.#pieces = [rest];
        this.#bytes = rest.length;
        this.#wantedBytes = end;
        return frames;
      }
      frames.push(readFrame(rest.subarray(0, end)));
      rest = rest.subarray(end);
    }
  }
}

/** Returns where the first frame ends. Where too few bytes are there to tell, returns how many it takes. */
function endOfFrame(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const start = startOfPayload(bytes);
  if (bytes.length < start) return start;
  if (start === 2) return start + ((bytes[1] ?? 0) & 0x7f);
  return start + (start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)));
}

/** Returns where a server's frame has its payload. A server's frame has no mask. */
function startOfPayload(bytes: Buffer): number {
  const short = (bytes[1] ?? 0) & 0x7f;
  if (short < 126) return 2;
  return short === 126 ? 4 : 10;
}

function readFrame(frame: Buffer): ReceivedFrame {
  const [first = 0] = frame;
  return { opcode: first & 0x0f, fin: (first & 0x80) !== 0, payload: frame.subarray(startOfPayload(frame)) };
}
