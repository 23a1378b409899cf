export const TEXT = 1;
const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
const DIGIT_0 = 0x30;

/** Any key but zero: `ws` skips the unmasking where all four bytes are 0, and no real client sends that. */
const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A client's frame: masked, final (RFC 6455 §5.2). Payloads to 65,535 bytes. */
export function clientFrame(opcode: number, payload: string | Uint8Array): Uint8Array {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const header = bytes.length < 126 ? 2 : 4;
  const frame = new Uint8Array(header + 4 + bytes.length);
  frame[0] = 0x80 | opcode;
  if (header === 2) {
    frame[1] = 0x80 | bytes.length;
  } else {
    frame[1] = 0x80 | 126;
    frame[2] = bytes.length >> 8;
    frame[3] = bytes.length & 0xff;
  }
  frame.set(MASK, header);
  for (let i = 0; i < bytes.length; i++) frame[header + 4 + i] = (bytes[i] ?? 0) ^ (MASK[i & 3] ?? 0);
  return frame;
}

/** The number that each frame has in its payload; all have as many digits as the first. */
export interface Numbering {
  readonly first: number;
  /** Where its digits begin in the payload. */
  readonly at: number;
}

/** Copies of one text frame that was built before, several in one write. */
export class FrameRow {
  readonly #frameBytes: number;
  readonly #bytes: Uint8Array;
  readonly #numbering: Numbering | undefined;

  constructor(payload: string, most: number, numbering?: Numbering) {
    const frame = clientFrame(TEXT, payload);
    this.#frameBytes = frame.length;
    this.#bytes = new Uint8Array(frame.length * most);
    for (let i = 0; i < most; i++) this.#bytes.set(frame, i * frame.length);
    this.#numbering = numbering;
  }

  /**
   * So many frames in one piece, which is good until the next call; as many as `most` said, at most.
   *
   * @param taken How many the client took before, from this row or another: where numbers count on from.
   * @throws {RangeError} When the numbers have become longer than the first.
   */
  take(frames: number, taken: number): Uint8Array {
    if (this.#numbering !== undefined) {
      for (let i = 0; i < frames; i++) this.#number(i, this.#numbering, taken + i);
    }
    return this.#bytes.subarray(0, frames * this.#frameBytes);
  }

  /** Writes a frame's number, masked as the rest of it is. */
  #number(frame: number, { first, at }: Numbering, taken: number): void {
    const payloadStart = frame * this.#frameBytes + headerLength(this.#bytes[1] ?? 0) + MASK.length;
    let left = first + taken;
    for (let place = at + String(first).length - 1; place >= at; place--) {
      this.#bytes[payloadStart + place] = (DIGIT_0 + (left % 10)) ^ (MASK[place & 3] ?? 0);
      left = Math.floor(left / 10);
    }
    if (left > 0) throw new RangeError(`Cannot number a frame ${first + taken}: that is longer than ${first}`);
  }
}

/** What a text frame is, by its length and the first bytes of its payload, which starts at `at`. */
export type Recognise = (payloadBytes: number, chunk: Uint8Array, at: number) => "message" | "ack" | undefined;

/** Bytes of a payload that have to be there for it to be recognised. */
const PEEK_BYTES = 16;
/** By how much a message may be longer than the first one: the digits of its number. */
const MORE_DIGITS = 15;

/**
 * Tells messages that grow by the digits of their number from acks of one length: by their lengths, and by the first byte in
 * which the two differ.
 */
export function recogniser(firstMessage: string, ack: string): Recognise {
  let tell = 0;
  while (firstMessage[tell] === ack[tell] && tell < PEEK_BYTES - 1) tell++;
  const messageByte = firstMessage.charCodeAt(tell);
  const ackByte = ack.charCodeAt(tell);
  return (payloadBytes, chunk, at) => {
    const byte = chunk[at + tell];
    if (byte === messageByte) {
      const more = payloadBytes - firstMessage.length;
      return more >= 0 && more <= MORE_DIGITS ? "message" : undefined;
    }
    return byte === ackByte && payloadBytes === ack.length ? "ack" : undefined;
  };
}

/** What a scanner finds other than messages. */
export interface ScannerUser {
  /** A frame that is neither a message nor an ack, whole. Its memory is used again after the call. */
  other(opcode: number, payload: Uint8Array): void;
}

/**
 * Counts a server's frames by their headers alone.
 *
 * A data frame whose payload has exactly `messageBytes` is a message: its payload is stepped over, not looked at. A
 * message counts when its header has come. Where messages have more than one length, `recognise` looks at the first bytes too.
 */
export class Scanner {
  messageBytes = -1;
  recognise: Recognise | undefined = undefined;
  /** All acks that began so far. */
  acks = 0;
  readonly #user: ScannerUser;
  #skip = 0;
  #held: Uint8Array | undefined = undefined;

  constructor(user: ScannerUser) {
    this.#user = user;
  }

  /** Scans what came. @returns The messages that began in it. */
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
    while (at < length) {
      const headerBytes = length - at < 2 ? 2 : headerLength(chunk[at + 1] ?? 0);
      if (length - at < headerBytes) {
        this.#held = chunk.slice(at, length);
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
        messages++;
      } else if (seen === "ack") {
        this.acks++;
      } else if (end > length) {
        this.#held = chunk.slice(at, length);
        at = length;
        break;
      } else {
        this.#user.other(opcode, chunk.subarray(at + headerBytes, end));
      }
      at = end;
    }
    this.#skip = at - length;
    return messages;
  }
}

/** The bytes of a frame's header by its second byte, the mask not counted. */
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
