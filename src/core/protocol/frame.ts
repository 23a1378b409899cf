import type { Envelope } from "./envelope.ts";

/** Content of a frame: text as a string, or as UTF-8 bytes that the runtime has validated; binary data as bytes. */
export type Payload = string | Uint8Array;

/** Where an entry keeps the encoded bytes of a text that goes to several receivers. */
export interface SharedBytes {
  bytes: Uint8Array | undefined;
}

/**
 * One WebSocket message, without the header that the wire adds.
 *
 * It is an object, so that an entry can keep the bytes that it encoded for one receiver and write them to the next.
 */
export class Frame {
  readonly payload: Payload;
  /** Whether the frame is a binary frame. A text frame may have its payload as UTF-8 bytes, too. */
  readonly binary: boolean;
  /** Fixed text around the payload. Without an envelope the frame consists of the payload only. */
  readonly envelope: Envelope | undefined;
  /** ASCII text that the envelope puts before the payload. Empty without an envelope. */
  readonly address: string;
  /**
   * Number that the envelope puts behind the payload, or in a binary frame before it: a whole number from 0 to
   * 2^53 - 1. Only `numbered` changes it.
   */
  number: number;
  /**
   * Size of the frame without the digits of its number: in bytes if the payload is bytes, in UTF-16 units if it is a
   * string. A string has at most three times as many bytes in UTF-8. The relay counts this size until the frame is
   * written; from then on it counts the bytes that the connection reports.
   */
  readonly size: number;
  /** Present if the payload goes to several receivers. Only the entry uses the content. */
  shared: SharedBytes | undefined = undefined;

  constructor(payload: Payload, binary: boolean, envelope?: Envelope, address = "", number = 0) {
    this.payload = payload;
    this.binary = binary;
    this.envelope = envelope;
    this.address = address;
    this.number = number;
    this.size = payload.length + (envelope === undefined ? 0 : address.length + envelope.size);
  }

  /**
   * Returns the frame with the number. A frame without a number, for a single receiver, gets the number itself; of any
   * other frame this is a copy.
   */
  numbered(number: number): Frame {
    if (this.shared === undefined && this.number === 0) {
      this.number = number;
      return this;
    }
    const frame = new Frame(this.payload, this.binary, this.envelope, this.address, number);
    frame.shared = this.shared;
    return frame;
  }

  /** Marks the payload as going to several receivers. */
  share(): void {
    this.shared ??= { bytes: undefined };
  }
}

const encoder = new TextEncoder();
// Without ignoreBOM, the decoder drops a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Returns the payload of a text frame as a string. */
export function toText(payload: Payload): string {
  return typeof payload === "string" ? payload : decoder.decode(payload);
}

/** Returns the payload as bytes; a string is encoded as UTF-8. */
export function toBytes(payload: Payload): Uint8Array {
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}

/** Returns the whole text of a text frame, including its envelope. */
export function frameText({ payload, envelope, address, number }: Frame): string {
  if (envelope === undefined) return toText(payload);
  const { start, beforePayload, beforeNumber, end } = envelope;
  // On JavaScriptCore `join` takes two thirds of the time of `+`, which makes several ropes that are flattened later.
  return [start.text, address, beforePayload.text, toText(payload), beforeNumber.text, number, end.text].join("");
}

/** Returns the whole content of a binary frame, including its envelope. Copies the payload only for an envelope. */
export function frameBytes({ payload, envelope, address, number }: Frame): Uint8Array<ArrayBuffer> {
  // A runtime gives binary data in memory that is not shared.
  const content = toBytes(payload) as Uint8Array<ArrayBuffer>;
  if (envelope === undefined) return content;
  return joinBytes(
    encoder.encode(envelope.start.text + address + envelope.beforeNumber.text + number + envelope.end.text),
    content,
  );
}

function joinBytes(before: Uint8Array, after: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(before.length + after.length);
  bytes.set(before);
  bytes.set(after, before.length);
  return bytes;
}

/** Puts a prefix before a payload. @returns Text as a string if the payload is a string, otherwise bytes. */
export function addPrefix(prefix: string, payload: Payload): Payload {
  return typeof payload === "string" ? prefix + payload : joinBytes(encoder.encode(prefix), payload);
}

/** Returns the bytes that the payload takes on the wire. A string is counted as UTF-8, without encoding it. */
export function byteLength(payload: Payload): number {
  let bytes = payload.length;
  if (typeof payload !== "string") return bytes;
  for (let at = 0; at < payload.length; at++) {
    const unit = payload.charCodeAt(at);
    if (unit <= 0x7f) continue;
    bytes += unit > 0x7ff ? 2 : 1;
    // A surrogate pair takes four bytes. A lone surrogate takes three: encoders write U+FFFD in its place.
    const isPair = (unit & 0xfc00) === 0xd800 && (payload.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) at++;
  }
  return bytes;
}

/** Whether the payload is longer than `maxBytes` on the wire. Scans a string only if its length leaves that open. */
export function isLongerThan(payload: Payload, maxBytes: number): boolean {
  if (payload.length > maxBytes) return true;
  if (typeof payload !== "string" || payload.length * 3 <= maxBytes) return false;
  return byteLength(payload) > maxBytes;
}
