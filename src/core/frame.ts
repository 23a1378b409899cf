/** What a frame carries: text as a string, or as UTF-8 bytes that the runtime has checked already; bytes as they are. */
export type Payload = string | Uint8Array;

/**
 * One WebSocket message, without what the wire adds to it.
 *
 * It is an object, so that the bytes which an entry builds for one receiver serve the next.
 */
export class Frame {
  readonly payload: Payload;
  /** Whether it travels as a binary frame. A text frame may still have its payload as UTF-8 bytes. */
  readonly binary: boolean;
  /** For the entry alone: the whole frame as it goes on the wire, kept when it has more than one receiver. */
  wire: Uint8Array | undefined = undefined;

  constructor(payload: Payload, binary: boolean) {
    this.payload = payload;
    this.binary = binary;
  }

  /**
   * The payload's size: bytes where it is bytes, UTF-16 units where it is a string, which is at least a third of its UTF-8.
   * It bounds what waits within one turn; what is written is counted by the connection, in bytes.
   */
  get size(): number {
    return this.payload.length;
  }
}

const encoder = new TextEncoder();
// Without ignoreBOM it would swallow a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The payload of a text frame as a string. */
export function textOf(payload: Payload): string {
  return typeof payload === "string" ? payload : decoder.decode(payload);
}

/** Whether the payload is longer than `maxBytes` as UTF-8. Encodes a string only when its length leaves that open. */
export function isLongerThan(payload: Payload, maxBytes: number): boolean {
  if (payload.length > maxBytes) return true;
  if (typeof payload !== "string" || payload.length * 3 <= maxBytes) return false;
  return encoder.encode(payload).length > maxBytes;
}
