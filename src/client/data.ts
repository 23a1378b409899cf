import { RelayError } from "./errors.ts";

/** Most levels of arrays and objects in data: a frame may have 128, and is the first of them itself. */
const MAX_DEPTH = 127;

/**
 * Encodes data as the last fields of a frame, `,"data":…`: bytes as base64, everything else as JSON.
 *
 * @throws {RelayError} `bad_data` when JSON would change the data.
 */
export function encodeData(data: unknown): string {
  try {
    const bytes = readBytes(data);
    return bytes === undefined ? `,"data":${toJson(data)}` : `,"data":"${toBase64(bytes)}","encoding":"base64"`;
  } catch (error) {
    // Other errors: a toJSON of the app threw, or the buffer was transferred to another thread.
    throw error instanceof RelayError ? error : badData(String(error));
  }
}

/** Encodes base64. Node before 25 and older browsers have no `toBase64`. */
function toBase64(bytes: Uint8Array & { toBase64?(): string }): string {
  if (bytes.toBase64) return bytes.toBase64();
  let binary = "";
  // A call takes a bounded number of arguments.
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/** Decodes base64. A loop, because `Uint8Array.from` makes a string of each byte: 700 kB take 6 ms in place of 195. */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/**
 * Returns the kind of a value, such as `Object`, `Map` or `Uint8Array`, also for a value from another iframe or worker.
 */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
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
    if (defect !== undefined) throw badData(`${path.join(".")} is ${defect}`);
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
