import type { Payload } from "./frame.ts";
import { MAX_ID_LENGTH } from "./id.ts";

const COLON = 0x3a;
const MAX_ASCII = 0x7f;
const SHORT_BYTES = 8;
// Without ignoreBOM it would swallow a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What stands before a frame's first colon, and where the message begins. */
export interface Address {
  readonly text: string;
  readonly messageStart: number;
}

/**
 * Reads the address of a frame, `address:message`.
 *
 * Only the first colon separates: the message may hold colons and may be empty. An address longer than any that could be
 * valid is cut. Whether it names anybody is not looked at.
 *
 * @param longest How many characters a valid address has at most.
 * @returns `undefined` where there is no colon.
 */
export function readAddress(payload: Payload, longest: number = MAX_ID_LENGTH): Address | undefined {
  const colon = typeof payload === "string" ? payload.indexOf(":") : payload.indexOf(COLON);
  if (colon < 0) return undefined;
  return { text: readText(payload, Math.min(colon, longest + 1)), messageStart: colon + 1 };
}

/** The payload from `start`, without copying bytes. */
export function payloadFrom(payload: Payload, start: number): Payload {
  return typeof payload === "string" ? payload.slice(start) : payload.subarray(start);
}

/** The first `length` characters or bytes, as text. */
function readText(payload: Payload, length: number): string {
  if (typeof payload === "string") return payload.slice(0, length);
  // Most ids are short and ASCII: put together faster than a decoder is called.
  if (length > SHORT_BYTES) return decoder.decode(payload.subarray(0, length));
  let text = "";
  for (let i = 0; i < length; i++) {
    const byte = payload[i] ?? 0;
    if (byte > MAX_ASCII) return decoder.decode(payload.subarray(0, length));
    text += String.fromCharCode(byte);
  }
  return text;
}
