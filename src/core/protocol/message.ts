import type { Payload } from "./frame.ts";
import { readObject } from "./json-text.ts";
import { owned } from "./owned.ts";

/** A message to an id or a room, independent of the protocol that encodes it. */
export class Message {
  readonly payload: Payload;
  /** `text`: any text. `json`: the text of a JSON value that is not a string. `bytes`: binary data. */
  readonly kind: "text" | "json" | "bytes";
  readonly #isUnescaped: boolean;

  /** @param isUnescaped Whether the payload is known to be a string that JSON does not escape. */
  constructor(payload: Payload, kind: Message["kind"], isUnescaped = false) {
    this.payload = payload;
    this.kind = kind;
    this.#isUnescaped = isUnescaped;
  }

  /**
   * Makes a message of data. Copies the data, which may change afterwards.
   *
   * @param data A string, any other JSON value, or bytes: an ArrayBuffer, a SharedArrayBuffer, or a view of either. As
   * in JSON.stringify, `toJSON` is called and undefined properties are left out.
   * @throws {TypeError} When JSON would change the data in any other way, or when it is nested deeper than 127 levels.
   */
  static of(data: unknown): Message {
    if (typeof data === "string") return new Message(owned(data), "text");
    const bytes = copyBytes(data);
    if (bytes !== undefined) return new Message(bytes, "bytes");
    const json = toJson(data);
    // A toJSON may return a string, as that of a Date.
    return json.startsWith('"') ? new Message(String(JSON.parse(json)), "text") : new Message(json, "json");
  }

  /** Whether the payload is known to be a string that JSON does not escape. */
  get isUnescaped(): boolean {
    return this.#isUnescaped;
  }
}

/** Returns a copy of the bytes of a buffer or of a view of one; `undefined` for any other value. */
function copyBytes(data: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  // Not every runtime has a global SharedArrayBuffer to compare with; the constructor takes both.
  return kindOf(data).endsWith("ArrayBuffer") ? new Uint8Array(data as ArrayBuffer).slice() : undefined;
}

function toJson(data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data, function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
      // JSON leaves out an undefined property, and its receiver reads it as undefined again.
      if (isJson(value, this[key]) || (value === undefined && kindOf(this) === "Object" && key !== "")) return value;
      throw new TypeError(`Cannot send: ${key === "" ? "the data" : JSON.stringify(key)} is ${describe(value)}`);
    });
  } catch (error) {
    // Other errors: a toJSON of the app threw, or the data holds itself or is too deep for the engine.
    throw error instanceof TypeError ? error : new TypeError(`Cannot send: ${error}`, { cause: error });
  }
  if (json === undefined) throw new TypeError("Cannot send: the data is undefined");
  // The rules for a frame of a client, which is an object, too.
  const fault = readObject(`{"data":${json}}`, () => {});
  if (fault !== undefined) throw new TypeError(`Cannot send: the data is ${fault}`);
  return json;
}

/**
 * Whether JSON has the value.
 *
 * @param original The value before its `toJSON`: Node's Buffer has one.
 */
function isJson(value: unknown, original: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  return !ArrayBuffer.isView(original) && /^(Object|Array)$/.test(kindOf(value)) && typeof value === "object";
}

function describe(value: unknown): string {
  return typeof value === "number" ? String(value) : `no JSON but ${kindOf(value)}`;
}

/** Returns the kind of a value, such as `Object`, `Map` or `Uint8Array`, also for a value from another realm. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
