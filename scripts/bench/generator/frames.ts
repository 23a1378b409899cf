export const TEXT = 1;
export const BINARY = 2;
const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
const DIGIT_0 = 0x30;

/** Mask other than zero: `ws` skips the unmasking for a mask of zero, which no real client sends. */
const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes a client's frame, masked and final (RFC 6455 §5.2). */
export function clientFrame(opcode: number, payload: string | Uint8Array): Uint8Array {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const header = bytes.length < 126 ? 2 : bytes.length < 65_536 ? 4 : 10;
  const frame = new Uint8Array(header + 4 + bytes.length);
  frame[0] = 0x80 | opcode;
  if (header === 2) {
    frame[1] = 0x80 | bytes.length;
  } else if (header === 4) {
    frame[1] = 0x80 | 126;
    new DataView(frame.buffer).setUint16(2, bytes.length);
  } else {
    frame[1] = 0x80 | 127;
    new DataView(frame.buffer).setBigUint64(2, BigInt(bytes.length));
  }
  frame.set(MASK, header);
  for (let i = 0; i < bytes.length; i++) frame[header + 4 + i] = (bytes[i] ?? 0) ^ (MASK[i & 3] ?? 0);
  return frame;
}

/** Number in each frame's payload. All numbers have as many digits as the first. */
export interface Numbering {
  readonly first: number;
  /** Where its digits start in the payload. */
  readonly at: number;
}

/** Copies of one data frame, built in advance, to send several in one write. */
export class FrameRow {
  readonly #frameBytes: number;
  readonly #bytes: Uint8Array;
  readonly #numbering: Numbering | undefined;

  constructor(payload: string, maxFrames: number, opcode: typeof TEXT | typeof BINARY, numbering?: Numbering) {
    const frame = clientFrame(opcode, payload);
    this.#frameBytes = frame.length;
    this.#bytes = new Uint8Array(frame.length * maxFrames);
    for (let i = 0; i < maxFrames; i++) this.#bytes.set(frame, i * frame.length);
    this.#numbering = numbering;
  }

  /**
   * Returns this many frames in one piece, which is valid until the next call.
   *
   * @param frames At most the constructor's `maxFrames`.
   * @param taken Count of the frames that the client has taken before, from this row or another: numbers go on there.
   * @throws {RangeError} When a number has more digits than the first.
   */
  take(frames: number, taken: number): Uint8Array {
    if (this.#numbering !== undefined) {
      for (let i = 0; i < frames; i++) this.#number(i, this.#numbering, taken + i);
    }
    return this.#bytes.subarray(0, frames * this.#frameBytes);
  }

  /** Writes a frame's number into its masked payload. */
  #number(frame: number, { first, at }: Numbering, taken: number): void {
    const payloadStart = frame * this.#frameBytes + headerLength(this.#bytes[1] ?? 0) + MASK.length;
    let remaining = first + taken;
    for (let index = at + String(first).length - 1; index >= at; index--) {
      this.#bytes[payloadStart + index] = (DIGIT_0 + (remaining % 10)) ^ (MASK[index & 3] ?? 0);
      remaining = Math.floor(remaining / 10);
    }
    if (remaining > 0) throw new RangeError(`Cannot number a frame ${first + taken}: that is longer than ${first}`);
  }
}

/** Recognises a text frame by its length and the first bytes of its payload, which starts at `at`. */
export type Recognise = (payloadBytes: number, chunk: Uint8Array, at: number) => "message" | "ack" | undefined;

/** Bytes of a payload that must have arrived before it can be recognised. */
const PEEK_BYTES = 16;
/** Most digits by which a message may be longer than the first one. */
const MAX_MORE_DIGITS = 15;

/**
 * Returns a function that tells messages, which grow by the digits of their number, from acks, which have one length.
 *
 * It compares the length, and the first byte in which a message and an ack differ.
 */
export function recogniser(firstMessage: string, ack: string): Recognise {
  let difference = 0;
  while (firstMessage[difference] === ack[difference] && difference < PEEK_BYTES - 1) difference++;
  const messageByte = firstMessage.charCodeAt(difference);
  const ackByte = ack.charCodeAt(difference);
  return (payloadBytes, chunk, at) => {
    const byte = chunk[at + difference];
    if (byte === messageByte) {
      const moreDigits = payloadBytes - firstMessage.length;
      return moreDigits >= 0 && moreDigits <= MAX_MORE_DIGITS ? "message" : undefined;
    }
    return byte === ackByte && payloadBytes === ack.length ? "ack" : undefined;
  };
}

/** Receives the frames of a scanner that are no messages and no acks. */
export interface ScannerUser {
  /** Receives a complete frame. Its memory is reused after the call. */
  onOtherFrame(opcode: number, payload: Uint8Array): void;
}

/**
 * Counts a server's frames by their headers.
 *
 * A data frame whose payload has exactly `messageBytes` is a message. The scanner skips its payload, and counts it when
 * its last byte has arrived. Where messages have more than one length, `recognise` looks at the first bytes too.
 */
export class Scanner {
  messageBytes = -1;
  recognise: Recognise | undefined = undefined;
  /** Count of acks whose first bytes have arrived. */
  acks = 0;
  readonly #user: ScannerUser;
  #skip = 0;
  /** Whether the bytes to skip are the rest of a message. */
  #isInMessage = false;
  #held: Uint8Array | undefined = undefined;

  constructor(user: ScannerUser) {
    this.#user = user;
  }

  /** Scans a chunk. @returns The count of messages that end in it. */
  scan(chunk: Uint8Array, length: number, start = 0): number {
    if (this.#held !== undefined) {
      const joined = new Uint8Array(this.#held.length + length - start);
      joined.set(this.#held);
      joined.set(chunk.subarray(start, length), this.#held.length);
      this.#held = undefined;
      return this.scan(joined, joined.length);
    }
    let messages = 0;
    let at = start + this.#skip;
    if (this.#isInMessage && at <= length) {
      this.#isInMessage = false;
      messages++;
    }
    while (at < length) {
      const headerBytes = length - at < 2 ? 2 : headerLength(chunk[at + 1] ?? 0);
      if (length - at < headerBytes) {
        // A copy: `slice` of a Buffer is a view, and the runtime reads into the same memory again.
        this.#held = new Uint8Array(chunk.subarray(at, length));
        at = length;
        break;
      }
      const opcode = (chunk[at] ?? 0) & 0x0f;
      const payloadBytes = payloadLength(chunk, at + 1, headerBytes);
      const end = at + headerBytes + payloadBytes;
      const seen =
        this.recognise === undefined || opcode !== TEXT || Math.min(length, end) - at < headerBytes + PEEK_BYTES
          ? undefined
          : this.recognise(payloadBytes, chunk, at + headerBytes);
      if ((payloadBytes === this.messageBytes && opcode < CLOSE) || seen === "message") {
        if (end <= length) messages++;
        else this.#isInMessage = true;
      } else if (seen === "ack") {
        this.acks++;
      } else if (end > length) {
        this.#held = new Uint8Array(chunk.subarray(at, length));
        at = length;
        break;
      } else {
        this.#user.onOtherFrame(opcode, chunk.subarray(at + headerBytes, end));
      }
      at = end;
    }
    this.#skip = at - length;
    return messages;
  }
}

/** Returns the bytes of a frame's header, without the mask, from its second byte. */
function headerLength(second: number): 2 | 4 | 10 {
  const length = second & 0x7f;
  if (length < 126) return 2;
  return length === 126 ? 4 : 10;
}

function payloadLength(chunk: Uint8Array, at: number, headerBytes: number): number {
  const second = chunk[at] ?? 0;
  if (headerBytes === 2) return second;
  if (headerBytes === 4) return ((chunk[at + 1] ?? 0) << 8) | (chunk[at + 2] ?? 0);
  let length = 0;
  for (let i = 1; i <= 8; i++) length = length * 256 + (chunk[at + i] ?? 0);
  return length;
}

export function textOf(payload: Uint8Array): string {
  return decoder.decode(payload);
}
