import { type Payload, toBytes } from "./frame.ts";

/** Control characters other than the tab, and Unicode's two separators: a terminal obeys them, or starts a new line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for them.
const UNPRINTABLE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;

/** The unprintable characters that `JSON.stringify` does not escape. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\u2028\u2029]/g;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DELETE = 0x7f;
const NEXT_LINE = 0x85;

/**
 * Kinds of bytes in UTF-8: 0 for a printable one, a line break, a control character, and the first byte of a sequence
 * that may be either.
 */
const BREAK = 1;
const CONTROL = 2;
const LEAD_OF_C1 = 3;
const LEAD_OF_SEPARATOR = 4;
const KINDS = new Uint8Array(256);
KINDS.fill(CONTROL, 0, 0x20);
KINDS.fill(BREAK, LINE_FEED, CARRIAGE_RETURN + 1);
KINDS[TAB] = 0;
KINDS[DELETE] = CONTROL;
KINDS[0xc2] = LEAD_OF_C1;
KINDS[0xe2] = LEAD_OF_SEPARATOR;

/**
 * Makes a text safe to show as one message among the lines of a terminal.
 *
 * A line break (LF, CR, CRLF, VT, FF, NEL, U+2028, U+2029) becomes LF and a tab, so that no line of a message looks
 * like the start of another message. Any other control character except the tab becomes its picture (U+2400 to U+2421),
 * or U+FFFD if it has none.
 *
 * @returns The text itself if it is printable; otherwise UTF-8 of at most three times its bytes.
 */
export function printable(text: Payload): Payload {
  const isPrintable = typeof text === "string" ? !UNPRINTABLE.test(text) : !hasUnprintable(text);
  return isPrintable ? text : replaceUnprintable(toBytes(text));
}

/** Escapes the control characters and line separators that JSON leaves unescaped, as JSON allows. */
export function escapeUnprintable(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function hasUnprintable(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const kind = KINDS[bytes[at] ?? 0] ?? 0;
    if (kind !== 0 && lengthOf(kind, bytes, at) > 0) return true;
  }
  return false;
}

/** Returns the length of the unprintable character at `at`, whose first byte is of this kind, in bytes; 0 if none. */
function lengthOf(kind: number, bytes: Uint8Array, at: number): number {
  const next = bytes[at + 1] ?? 0;
  if (kind === LEAD_OF_C1) return next < 0xa0 ? 2 : 0;
  if (kind === LEAD_OF_SEPARATOR) return next === 0x80 && ((bytes[at + 2] ?? 0) & 0xfe) === 0xa8 ? 3 : 0;
  return bytes[at] === CARRIAGE_RETURN && next === LINE_FEED ? 2 : 1;
}

function replaceUnprintable(bytes: Uint8Array): Uint8Array {
  const shown = new Uint8Array(bytes.length * 3);
  let end = 0;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const kind = KINDS[byte] ?? 0;
    const length = kind === 0 ? 0 : lengthOf(kind, bytes, at);
    if (length === 0) {
      shown[end++] = byte;
      at++;
      continue;
    }
    if (kind === CONTROL) {
      end = writeCharacter(shown, end, 0x2400 + (byte === DELETE ? 0x21 : byte));
    } else if (kind === LEAD_OF_C1 && bytes[at + 1] !== NEXT_LINE) {
      end = writeCharacter(shown, end, 0xfffd);
    } else {
      shown[end++] = LINE_FEED;
      shown[end++] = TAB;
    }
    at += length;
  }
  return shown.slice(0, end);
}

/** Writes a character from U+0800 to U+FFFF as UTF-8. @returns The index behind it. */
function writeCharacter(target: Uint8Array, start: number, character: number): number {
  target[start] = 0xe0 | (character >> 12);
  target[start + 1] = 0x80 | ((character >> 6) & 0x3f);
  target[start + 2] = 0x80 | (character & 0x3f);
  return start + 3;
}
