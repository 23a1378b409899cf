import { RelayError } from "./errors.ts";

/** Most levels of arrays and objects in data: a frame may have 128, and is the first of them itself. */
const MAX_DEPTH = 127;

/**
 * Encodes data: bytes as a copy of them, everything else as a field of a frame, `,"data":…`.
 *
 * @throws {RelayError} `bad_data` when JSON would change the data.
 */
export function encodeData(data: unknown): string | Uint8Array {
  try {
    return readBytes(data)?.slice() ?? `,"data":${toJson(data)}`;
  } catch (error) {
    // Other errors: a toJSON of the app threw, or the buffer was transferred to another thread.
    throw error instanceof RelayError ? error : badData(String(error));
  }
}

/** The parts of a frame with data. The frame in JSON is `start`, `data` and `end`, where `data` is a text. */
export interface FrameParts {
  readonly start: string;
  /** Bytes, or a text: the field `data` in JSON, empty in a frame without data. */
  readonly data: string | Uint8Array;
  readonly end: string;
}

/**
 * Joins the parts of a frame.
 *
 * @param isBinary Whether the relay takes bytes as they are, in a binary frame behind a line of JSON. Otherwise they
 * become a field in base64.
 */
export function joinFrame({ start, data, end }: FrameParts, isBinary: boolean): string | Uint8Array<ArrayBuffer> {
  if (typeof data === "string") return start + data + end;
  if (!isBinary) {
    const binary = Array.from(data, (byte) => String.fromCharCode(byte)).join("");
    return `${start},"data":"${btoa(binary)}","encoding":"base64"${end}`;
  }
  // The spaces make room for the data.
  const frame = new TextEncoder().encode(`${start}${end}\n${" ".repeat(data.length)}`);
  frame.set(data, frame.length - data.length);
  return frame;
}

/** Decodes base64, which comes only from a relay that does not send bytes as they are. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Returns the kind of a value, such as `Object`, `Map` or `Uint8Array`, also for a value from another iframe or worker.
 */
function kindOf(value: unknown): string {
  return {}.toString.call(value).slice(8, -1);
}

/** Returns the bytes of a buffer or of a view of a buffer; `undefined` for everything else. */
function readBytes(data: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // Most pages have no global SharedArrayBuffer to compare with; the constructor takes both.
  return /ArrayBuffer$/.test(kindOf(data)) ? new Uint8Array(data as ArrayBuffer) : undefined;
}

function toJson(data: unknown): string {
  /** The arrays and objects around the value, outermost first. */
  const holders: unknown[] = [];
  /** The key of each of them, and of the value. */
  const path: string[] = [];
  return JSON.stringify(data, function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
    if (typeof value === "string" || Number.isFinite(value)) return value;
    holders.length = path.length = holders.lastIndexOf(this) + 1;
    path.push(key || "data");
    const defect = findDefect(value, this[key], holders);
    if (defect) throw badData(`${path.join(".")} is ${defect}`);
    holders.push(value);
    return value;
  });
}

/**
 * Describes why JSON would change a value; `undefined` where JSON does not change it.
 *
 * @param original The value before its `toJSON`.
 */
function findDefect(value: unknown, original: unknown, holders: readonly unknown[]): string | undefined {
  // A view may have been replaced by an object: Buffer has a toJSON.
  const kind = kindOf(ArrayBuffer.isView(original) ? original : value);
  if (/^(Boolean|Null)$/.test(kind)) return undefined;
  // JSON leaves out an undefined property, and the receiver reads it as undefined again.
  if (original === undefined && kindOf(holders.at(-1)) === "Object") return undefined;
  if (holders.includes(value) || holders.length >= MAX_DEPTH)
    return `part of itself, or deeper than ${MAX_DEPTH} levels`;
  return /^(Object|Array)$/.test(kind) ? undefined : `no JSON but ${kind === "Number" ? value : kind}`;
}

function badData(reason: string): RelayError {
  return new RelayError("bad_data", `Cannot send: ${reason}`, false);
}
