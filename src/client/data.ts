import { RelayError } from "./errors.ts";

/** Levels of arrays and objects that data may have: a frame has at most 128, and is itself the first. */
const MAX_DEPTH = 127;

/**
 * Writes data as the last fields of a frame, `,"data":…`: bytes as base64, everything else as JSON.
 *
 * @throws {RelayError} `bad_data` when the receiver would get something else than what is sent.
 */
export function spell(data: unknown): string {
  try {
    const bytes = readBytes(data);
    if (bytes === undefined) return `,"data":${toJson(data)}`;
    let binary = "";
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return `,"data":"${btoa(binary)}","encoding":"base64"`;
  } catch (error) {
    // A toJSON of the app threw, or the buffer was transferred to another thread.
    throw error instanceof RelayError ? error : refuse(String(error));
  }
}

/** Returns the bytes of base64 text. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Returns the kind of a value, such as `Object`, `Map` or `Uint8Array`, also of one from another frame or worker. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Returns the bytes of a buffer or of a view of one; `undefined` for everything else. */
function readBytes(data: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // Most pages have no global SharedArrayBuffer to compare with; the constructor takes both.
  return /ArrayBuffer$/.test(kindOf(data)) ? new Uint8Array(data as ArrayBuffer) : undefined;
}

function toJson(data: unknown): string {
  /** The value and the arrays and objects that hold it, outermost first, and the key of each. */
  const holders: unknown[] = [];
  const path: string[] = [];
  return JSON.stringify(data, function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
    if (typeof value === "string" || Number.isFinite(value)) return value;
    holders.length = path.length = holders.lastIndexOf(this) + 1;
    path.push(key || "data");
    const defect = findDefect(value, this[key], holders);
    if (defect !== undefined) throw refuse(`${path.join(".")} is ${defect}`);
    holders.push(value);
    return value;
  });
}

/**
 * Says what is wrong with a value that would not arrive as it is; `undefined` where nothing is.
 *
 * @param original The value before its `toJSON`.
 */
function findDefect(value: unknown, original: unknown, holders: readonly unknown[]): string | undefined {
  // The toJSON of a Buffer makes an object of it.
  const kind = kindOf(ArrayBuffer.isView(original) ? original : value);
  if (/^(Boolean|Null)$/.test(kind)) return undefined;
  // A property without a value is left out, and reads as undefined where it arrives.
  if (original === undefined && kindOf(holders.at(-1)) === "Object") return undefined;
  if (holders.includes(value) || holders.length >= MAX_DEPTH)
    return `part of itself, or deeper than ${MAX_DEPTH} levels`;
  return /^(Object|Array)$/.test(kind) ? undefined : `no JSON but ${kind === "Number" ? value : kind}`;
}

function refuse(why: string): RelayError {
  return new RelayError("bad_data", `Cannot send: ${why}`, false);
}
