/** Characters of the longest text that is copied unit by unit; longer ones are copied faster through JSON. */
const SHORT_CHARACTERS = 256;

/** Bytes around a part of a buffer that may stay in memory with it. A mailbox counts as many for each message. */
const MAX_KEPT_AROUND = 128;

/**
 * Returns bytes that keep little other memory alive: the same ones, or a copy where they are a part of a larger buffer.
 * Node hands out small messages as parts of the 64 KiB that it read at once.
 */
export function ownedBytes(bytes: Uint8Array): Uint8Array {
  // Buffer's own `slice` does not copy.
  return bytes.buffer.byteLength - bytes.length > MAX_KEPT_AROUND ? Uint8Array.prototype.slice.call(bytes) : bytes;
}

/**
 * Copies a text, so that the copy keeps no other text in memory. Call it on every text that outlives the frame, the URL
 * or the header that it was cut from.
 *
 * Engines cut strings without copying them: a slice of 13 or more characters on V8, any slice on JavaScriptCore and
 * most matches of a regular expression keep the whole original in memory. A text codec would not do, as it changes lone
 * surrogates; nor would concatenation, which JavaScriptCore optimizes away.
 */
export function owned(text: string): string {
  if (text.length > SHORT_CHARACTERS) return String(JSON.parse(JSON.stringify(text)));
  const codes: number[] = [];
  for (let at = 0; at < text.length; at++) codes.push(text.charCodeAt(at));
  return String.fromCharCode(...codes);
}
