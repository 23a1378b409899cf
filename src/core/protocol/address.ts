import type { Payload } from "./frame.ts";
import { MAX_ID_LENGTH } from "./id.ts";

const COLON = 0x3a;
const MAX_ASCII = 0x7f;
const SHORT_BYTES = 8;
// Without ignoreBOM, the decoder drops a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The address of a frame: its text before the first colon. */
export interface Address {
  readonly text: string;
  /** Index of the message in the payload, in UTF-16 units of a string or in bytes. */
  readonly messageStart: number;
}

/**
 * Reads the address of a frame, `address:message`.
 *
 * Only the first colon separates: the message may hold colons and may be empty. The address is not validated. An
 * address longer than `maxLength` is cut to `maxLength + 1` characters, so it stays invalid.
 *
 * @param maxLength Characters of the longest valid address.
 * @returns `undefined` if the payload has no colon.
 */
export function readAddress(payload: Payload, maxLength: number = MAX_ID_LENGTH): Address | undefined {
  const colon = typeof payload === "string" ? payload.indexOf(":") : payload.indexOf(COLON);
  if (colon < 0) return undefined;
  return { text: readText(payload, Math.min(colon, maxLength + 1)), messageStart: colon + 1 };
}

/** Returns the payload from index `start` to its end, without copying bytes. */
export function payloadFrom(payload: Payload, start: number): Payload {
  return typeof payload === "string" ? payload.slice(start) : payload.subarray(start);
}

/** Reads the first `length` characters or bytes as text. */
function readText(payload: Payload, length: number): string {
  if (typeof payload === "string") return payload.slice(0, length);
  // Most ids are short and ASCII: for those, concatenating characters is faster than calling the decoder.
  if (length > SHORT_BYTES) return decoder.decode(payload.subarray(0, length));
  let text = "";
  for (let i = 0; i < length; i++) {
    const byte = payload[i] ?? 0;
    if (byte > MAX_ASCII) return decoder.decode(payload.subarray(0, length));
    text += String.fromCharCode(byte);
  }
  return text;
}
