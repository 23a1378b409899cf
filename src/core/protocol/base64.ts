const DIGITS = Uint8Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", (character) =>
  character.charCodeAt(0),
);
const PADDING = 0x3d;
const decoder = new TextDecoder();

/**
 * Encodes bytes in base64 (RFC 4648 §4), with padding.
 *
 * `btoa` takes a string; on V8, making that string of the bytes costs four times as much as this function. Node 24 does
 * not have `Uint8Array.prototype.toBase64` yet.
 */
export function toBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let end = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const three = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text[end] = DIGITS[three >> 18] ?? 0;
    text[end + 1] = DIGITS[(three >> 12) & 63] ?? 0;
    text[end + 2] = DIGITS[(three >> 6) & 63] ?? 0;
    text[end + 3] = DIGITS[three & 63] ?? 0;
    end += 4;
  }
  const missing = (3 - (bytes.length % 3)) % 3;
  text.fill(PADDING, end - missing);
  return decoder.decode(text);
}

/**
 * Decodes base64 text as leniently as `atob`: padding is optional, and white space is ignored.
 *
 * @returns `undefined` if the text is not base64.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
