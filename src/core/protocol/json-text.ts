/**
 * Maximum levels of nested arrays and objects in one frame; the frame's own object is the first. Without a limit the
 * runtimes differ: Node 20 cannot serialize 5,000 levels, Deno can serialize 500,000, and Bun 1.4 takes 1.4 s to fail
 * at 40,000.
 */
export const MAX_DEPTH = 128;

/** Why a text is not accepted as a JSON object. */
export type JsonFault = "malformed" | "too deep" | "beyond a double";

/** Receives a field of the object: its name, and the start and the end of its value's text, as indexes. */
export type OnField = (name: string, start: number, end: number) => void;

/**
 * The next expected part of the text: a value; the first member of an array or object, or its end; a name; a comma or
 * the end.
 */
const VALUE = 0;
const FIRST = 1;
const NAME = 2;
const END = 3;

/** In place of a brackets bracket's code unit, while no level is open. */
const NO_BRACKET = -1;

/** Longest text of a name that is reported, with its quotes. No field of a frame needs as much, even with escapes. */
const MAX_NAME_LENGTH = 64;

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_F = 0x66;
const LOWER_T = 0x74;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Checks that a text is a JSON object (RFC 8259) and reports the object's own fields, without building their values.
 *
 * The time is linear in the length of any text, and nothing recurses. `JSON.parse` promises neither: repeated `{},`
 * costs it 20 times as much as text, and `{"999":0},` repeated to 1 MB takes Bun 1.4 two seconds and 840 MB.
 *
 * @returns `undefined` for a valid object. Fields are also reported if the fault is "too deep" or "beyond a double".
 */
export function readObject(text: string, onField: OnField): JsonFault | undefined {
  /** Closing bracket of each open level. */
  const brackets: number[] = [];
  let bracket = NO_BRACKET;
  let expected = VALUE;
  let fault: JsonFault | undefined;
  let name = "";
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const unit = text.charCodeAt(at);
    if (isSpace(unit)) {
      at++;
      continue;
    }
    if (unit === COMMA) {
      if (expected !== END || bracket === NO_BRACKET) return "malformed";
      expected = bracket === CLOSE_OBJECT ? NAME : VALUE;
      at++;
      continue;
    }
    if (unit === bracket) {
      if (expected !== END && expected !== FIRST) return "malformed";
      brackets.pop();
      bracket = brackets[brackets.length - 1] ?? NO_BRACKET;
      at++;
    } else if (expected === END) {
      return "malformed";
    } else if (expected === NAME || (expected === FIRST && bracket === CLOSE_OBJECT)) {
      const end = unit === QUOTE ? skipString(text, at) : -1;
      const colon = end < 0 ? -1 : skipSpace(text, end);
      if (text.charCodeAt(colon) !== COLON) return "malformed";
      if (brackets.length === 1) name = end - at > MAX_NAME_LENGTH ? "" : stringOf(text.slice(at, end));
      at = colon + 1;
      expected = VALUE;
      continue;
    } else {
      if (brackets.length === 1) start = at;
      const isNested = unit === OPEN_OBJECT || unit === OPEN_ARRAY;
      if (bracket === NO_BRACKET && unit !== OPEN_OBJECT) return "malformed";
      if (isNested && brackets.length < MAX_DEPTH) {
        bracket = unit + 2;
        brackets.push(bracket);
        expected = FIRST;
        at++;
        continue;
      }
      const end = isNested ? skipNested(text, at) : skipScalar(text, at, unit);
      if (end < 0) return "malformed";
      if (isNested) fault = "too deep";
      else if (isBeyondDouble(text, at, end)) fault ??= "beyond a double";
      at = end;
    }
    // Every path that reaches this line is behind the end of a value.
    expected = END;
    if (brackets.length === 1) onField(name, start, at);
  }
  return expected === END && bracket === NO_BRACKET ? fault : "malformed";
}

/** Returns the value of a JSON string. @param text The string with its quotes; it must be valid. */
export function stringOf(text: string): string {
  return text.includes("\\") ? String(JSON.parse(text)) : text.slice(1, -1);
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** Returns the index behind the string that starts at `start`; -1 if the string is not valid. */
function skipString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at + 1;
    if (unit < 0x20) return -1;
    if (unit !== BACKSLASH) continue;
    at++;
    if (text[at] === "u") {
      if (!HEX.test(text.slice(at + 1, at + 5))) return -1;
      at += 4;
    } else if (!ESCAPES.has(text.charCodeAt(at))) {
      return -1;
    }
  }
  return -1;
}

const HEX = /^[0-9a-fA-F]{4}$/;
const ESCAPES = new Set(Array.from('"\\/bfnrt', (character) => character.charCodeAt(0)));

/** Returns the index behind the array or object that starts at `start`, counting only brackets; -1 if it has no end. */
function skipNested(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at >= 0 && at < text.length; ) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    at++;
    if (unit === OPEN_OBJECT || unit === OPEN_ARRAY) depth++;
    else if ((unit === CLOSE_OBJECT || unit === CLOSE_ARRAY) && --depth === 0) return at;
  }
  return -1;
}

function skipScalar(text: string, start: number, unit: number): number {
  if (unit === QUOTE) return skipString(text, start);
  if (unit === MINUS || isDigit(unit)) return skipNumber(text, start);
  const word = unit === LOWER_T ? "true" : unit === LOWER_F ? "false" : "null";
  return text.startsWith(word, start) ? start + word.length : -1;
}

function skipNumber(text: string, start: number): number {
  const whole = text.charCodeAt(start) === MINUS ? start + 1 : start;
  let at = text.charCodeAt(whole) === ZERO ? whole + 1 : skipDigits(text, whole);
  if (at === whole) return -1;
  if (text.charCodeAt(at) === DOT) {
    const fraction = at + 1;
    at = skipDigits(text, fraction);
    if (at === fraction) return -1;
  }
  if ((text.charCodeAt(at) | 0x20) !== 0x65) return at;
  const sign = text.charCodeAt(at + 1);
  const exponent = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
  at = skipDigits(text, exponent);
  return at === exponent ? -1 : at;
}

function skipDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

function isDigit(unit: number): boolean {
  return unit >= ZERO && unit <= NINE;
}

/** Whether the scalar is a number outside the range of a double (IEEE 754). */
function isBeyondDouble(text: string, start: number, end: number): boolean {
  // `1e309` is the shortest such number.
  if (end - start < 5 || text.charCodeAt(start) > NINE || text.charCodeAt(start) === QUOTE) return false;
  return !Number.isFinite(Number(text.slice(start, end)));
}
