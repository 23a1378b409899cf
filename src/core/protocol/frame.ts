import type { Envelope } from "./envelope.ts";

/** What a frame carries: text as a string, or as UTF-8 bytes that the runtime has checked already; bytes as they are. */
export type Payload = string | Uint8Array;

/** Where an entry keeps the bytes of a text that more than one receiver gets. */
export interface SharedBytes {
  bytes: Uint8Array | undefined;
}

/**
 * One WebSocket message, without what the wire adds to it.
 *
 * It is an object, so that what an entry made of it for one receiver serves the next.
 */
export class Frame {
  readonly payload: Payload;
  /** Whether it travels as a binary frame. A text frame may still have its payload as UTF-8 bytes. */
  readonly binary: boolean;
  /** What stands around the payload in the same frame. Without one, the payload is all. */
  readonly envelope: Envelope | undefined;
  /** ASCII that an envelope has before the payload. */
  readonly address: string;
  /** What an envelope has behind the payload: a whole number from 0 to 2^53 - 1. */
  readonly number: number;
  /**
   * The size without the digits of its number: bytes where the payload is bytes, UTF-16 units where it is a string, which is at
   * least a third of its UTF-8. It bounds what waits within one turn; what is written is counted by the connection, in bytes.
   */
  readonly size: number;
  /** Whether the payload goes to more than one receiver; what is here then is for the entry alone. */
  shared: SharedBytes | undefined = undefined;

  constructor(payload: Payload, binary: boolean, envelope?: Envelope, address = "", number = 0) {
    this.payload = payload;
    this.binary = binary;
    this.envelope = envelope;
    this.address = address;
    this.number = number;
    this.size = payload.length + (envelope === undefined ? 0 : address.length + envelope.size);
  }

  /** The same with another number. */
  numbered(number: number): Frame {
    const frame = new Frame(this.payload, this.binary, this.envelope, this.address, number);
    frame.shared = this.shared;
    return frame;
  }

  /** Says that more than one receiver gets the payload. */
  share(): void {
    this.shared ??= { bytes: undefined };
  }
}

const encoder = new TextEncoder();
// Without ignoreBOM it would swallow a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The payload of a text frame as a string. */
export function textOf(payload: Payload): string {
  return typeof payload === "string" ? payload : decoder.decode(payload);
}

/** The payload as bytes; a string as UTF-8. */
export function toBytes(payload: Payload): Uint8Array {
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}

/** The whole text of a text frame, with its envelope. */
export function frameText({ payload, envelope, address, number }: Frame): string {
  if (envelope === undefined) return textOf(payload);
  const { opening, beforePayload, beforeNumber, closing } = envelope;
  return opening.text + address + beforePayload.text + textOf(payload) + beforeNumber.text + number + closing.text;
}

/** Two payloads in one, as bytes where the second is bytes. */
export function prefixed(prefix: string, payload: Payload): Payload {
  if (typeof payload === "string") return prefix + payload;
  const before = encoder.encode(prefix);
  const bytes = new Uint8Array(before.length + payload.length);
  bytes.set(before);
  bytes.set(payload, before.length);
  return bytes;
}

/** How many bytes the payload is on the wire; a string as UTF-8. */
export function byteLength(payload: Payload): number {
  let bytes = payload.length;
  if (typeof payload !== "string") return bytes;
  for (let at = 0; at < payload.length; at++) {
    const unit = payload.charCodeAt(at);
    if (unit <= 0x7f) continue;
    bytes += unit > 0x7ff ? 2 : 1;
    // A surrogate pair is four bytes, half of one three: U+FFFD stands in its place.
    const isPair = (unit & 0xfc00) === 0xd800 && (payload.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) at++;
  }
  return bytes;
}

/** Whether the payload is longer than `maxBytes` as UTF-8. Looks at a string only when its length leaves that open. */
export function isLongerThan(payload: Payload, maxBytes: number): boolean {
  if (payload.length > maxBytes) return true;
  if (typeof payload !== "string" || payload.length * 3 <= maxBytes) return false;
  return byteLength(payload) > maxBytes;
}
