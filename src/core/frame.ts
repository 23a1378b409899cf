/** What a frame carries: text as a string, or as UTF-8 bytes that the runtime has checked already; bytes as they are. */
export type Payload = string | Uint8Array;

/**
 * One WebSocket message, without what the wire adds to it.
 *
 * It is an object, so that what an entry made of it for one receiver serves the next.
 */
export class Frame {
  readonly payload: Payload;
  /** Whether it travels as a binary frame. A text frame may still have its payload as UTF-8 bytes. */
  readonly binary: boolean;
  /** What goes before the payload, in the same frame: the part that other receivers get too. */
  readonly head: Frame | undefined;
  /** Whether it has, or is the head of, frames for more than one receiver. */
  shared = false;
  /** For the entry alone: the payload's bytes, kept where the frame is shared. */
  bytes: Uint8Array | undefined = undefined;

  constructor(payload: Payload, binary: boolean, head?: Frame) {
    this.payload = payload;
    this.binary = binary;
    this.head = head;
  }

  /**
   * The size with the head: bytes where a payload is bytes, UTF-16 units where it is a string, which is at least a third of
   * its UTF-8. It bounds what waits within one turn; what is written is counted by the connection, in bytes.
   */
  get size(): number {
    return this.payload.length + (this.head?.payload.length ?? 0);
  }
}

const encoder = new TextEncoder();
// Without ignoreBOM it would swallow a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The payload of a text frame as a string. */
export function textOf(payload: Payload): string {
  return typeof payload === "string" ? payload : decoder.decode(payload);
}

/** The whole text of a text frame, its head before its payload. */
export function frameText({ head, payload }: Frame): string {
  return head === undefined ? textOf(payload) : textOf(head.payload) + textOf(payload);
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

/** Whether the payload is longer than `maxBytes` as UTF-8. Encodes a string only when its length leaves that open. */
export function isLongerThan(payload: Payload, maxBytes: number): boolean {
  if (payload.length > maxBytes) return true;
  if (typeof payload !== "string" || payload.length * 3 <= maxBytes) return false;
  return encoder.encode(payload).length > maxBytes;
}
