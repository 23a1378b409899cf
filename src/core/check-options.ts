/** Type that the value of an option must have, or the words that it may be. */
export type OptionKind = "number" | "string" | "boolean" | "function" | "object" | readonly string[];

/** Options by name, each with its kind. */
export type OptionKinds = Readonly<Record<string, OptionKind>>;

/**
 * Checks the names and the types of options. TypeScript checks them, too, but JavaScript does not, and a misspelt limit
 * would limit nothing.
 *
 * @param action Start of the error message: states what cannot be done with a wrong option.
 * @param parts Kinds of the options inside those options that are objects.
 * @throws {TypeError} Names the first unknown option, and where it belongs if that is known, or the first of a wrong
 * type.
 */
export function checkOptions(
  action: string,
  options: object,
  kinds: OptionKinds,
  parts: Readonly<Record<string, OptionKinds>> = {},
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${action}: the options are ${options === null ? "null" : withArticle(typeof options)}`);
  }
  const home = (name: string): string => {
    if (Object.hasOwn(kinds, name)) return ": it belongs among the options themselves";
    const part = Object.keys(parts).find((key) => Object.hasOwn(parts[key] ?? {}, name));
    return part === undefined ? "" : `: it belongs in "${part}"`;
  };
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(kinds, name)) throw new TypeError(`${action}: there is no option "${name}"${home(name)}`);
  }
  checkKinds(action, options, kinds);
  for (const [part, value] of Object.entries(options)) {
    const known = parts[part];
    if (known === undefined || !isPlain(value)) continue;
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(known, name));
    if (unknown !== undefined) throw new TypeError(`${action}: "${part}" has no "${unknown}"${home(unknown)}`);
    checkKinds(action, value, known);
  }
}

/**
 * Checks that numbers are positive.
 *
 * @throws {RangeError} Names the first number that is not positive or is above `max`.
 */
export function requirePositive(
  action: string,
  numbers: Readonly<Record<string, number>>,
  max = Number.POSITIVE_INFINITY,
): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0 && value <= max)) throw new RangeError(`${action}: ${name} is ${value}`);
  }
}

/** Bytes that a key of HMAC-SHA256 has at least (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32;

/**
 * Reads a secret.
 *
 * @returns Its bytes of UTF-8.
 * @throws {RangeError} When it is shorter than `MIN_SECRET_BYTES`. The message has no part of it.
 */
export function readSecret(action: string, secret: string): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length >= MIN_SECRET_BYTES) return bytes;
  throw new RangeError(`${action}: the secret is ${bytes.length} bytes, at least ${MIN_SECRET_BYTES} are needed`);
}

function checkKinds(action: string, options: object, kinds: OptionKinds): void {
  for (const [name, value] of Object.entries(options)) {
    const kind = kinds[name];
    if (kind === undefined || value === undefined || isOfKind(value, kind)) continue;
    throw new TypeError(`${action}: ${name} is ${describe(value, kind)}, expected ${expected(kind)}`);
  }
}

function isOfKind(value: unknown, kind: OptionKind): boolean {
  if (typeof kind !== "string") return typeof value === "string" && kind.includes(value);
  return typeof value === kind && value !== null;
}

/** Describes the value by its type. Quotes a string only if the kind is a list of words: others may be secrets. */
function describe(value: unknown, kind: OptionKind): string {
  if (value === null) return "null";
  return typeof value === "string" && typeof kind !== "string" ? JSON.stringify(value) : withArticle(typeof value);
}

function expected(kind: OptionKind): string {
  return typeof kind === "string" ? withArticle(kind) : kind.map((word) => JSON.stringify(word)).join(" or ");
}

function withArticle(type: string): string {
  return `${type === "object" ? "an" : "a"} ${type}`;
}

/** Whether the value is an object literal. An instance of a class may have other fields, so it is not checked. */
function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
