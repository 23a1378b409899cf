import { owned } from "../protocol/owned.ts";

/**
 * Signs texts with a secret, for example by HMAC. Equal texts have equal signatures; all signatures have one length.
 */
export interface TokenSigner {
  /** Returns the signature, in characters that a URL may contain without escapes. */
  sign(text: string): string;
}

/** Content of a resume token that an earlier process signed. */
export interface EarlierToken {
  readonly key: string;
  /** The id of the session that the token was issued for. */
  readonly id: string;
  /** Time of issue, in milliseconds since 1970. Of two tokens with the same key, the later one has the later time. */
  readonly issuedAt: number;
}

const KEY_BYTES = 8;
const KEY_CHARACTERS = KEY_BYTES * 2;
const SECRET_BYTES = 24;
const PROCESS_BYTES = 8;
const PREFIX_CHARACTERS = 8;
/** 48 bits: enough until the year 10889. */
const TIME_CHARACTERS = 12;

const KEY = /^[0-9a-f]{16}/;

/** Parts of a signed token: key, secret, process, time of issue, id and signature. */
const SIGNED = /^([0-9a-f]{16})([0-9a-f]{48})([0-9a-f]{16})([0-9a-f]{12})([A-Za-z0-9._~-]{1,64})!(.+)$/;

/**
 * Encodes and decodes resume tokens. A token starts with the key of its session, followed by a new secret. So the relay
 * can find the session of a token that is no longer valid. A signed token also contains what the next process needs.
 */
export class TokenFormat {
  readonly #signer: TokenSigner | undefined;
  readonly #process = randomHex(PROCESS_BYTES);

  /** @param signer Signs every token. Default: tokens are not signed. */
  constructor(signer?: TokenSigner) {
    this.#signer = signer;
  }

  /** Whether tokens are signed, so that a later process can read them. */
  get isSigned(): boolean {
    return this.#signer !== undefined;
  }

  /** Prefix of this process's sequential ids: no other process gives the same ids. Empty if tokens are not signed. */
  get idPrefix(): string {
    return this.#signer === undefined ? "" : `${this.#process.slice(0, PREFIX_CHARACTERS)}-`;
  }

  /** Returns a random key for a session. */
  newKey(): string {
    return randomHex(KEY_BYTES);
  }

  /** Makes a token with a new secret. */
  make(key: string, id: string, issuedAt: number): string {
    const unguessable = key + randomHex(SECRET_BYTES);
    if (this.#signer === undefined) return owned(unguessable);
    const text = unguessable + this.#process + issuedAt.toString(16).padStart(TIME_CHARACTERS, "0") + id;
    return owned(`${text}!${this.#signer.sign(text)}`);
  }

  /** Decodes a token of an earlier process. @returns `undefined` for any other text. */
  readEarlier(token: string): EarlierToken | undefined {
    if (this.#signer === undefined) return undefined;
    const [, key = "", secret = "", process = "", time = "", id = "", signature = ""] = SIGNED.exec(token) ?? [];
    if (id === "" || process === this.#process) return undefined;
    if (!isSame(this.#signer.sign(key + secret + process + time + id), signature)) return undefined;
    return { key: owned(key), id: owned(id), issuedAt: Number.parseInt(time, 16) };
  }
}

/** Returns the key of a token; `undefined` if the text does not start with a key. */
export function keyOf(token: string): string | undefined {
  return KEY.test(token) ? owned(token.slice(0, KEY_CHARACTERS)) : undefined;
}

/** Whether the texts are equal. The time does not depend on where they differ, so it helps nobody to guess a token. */
export function isSame(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let differences = 0;
  for (let at = 0; at < one.length; at++) differences |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return differences === 0;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Random bytes that are not used yet, from `usedBytes` on. Each call of `getRandomValues` costs as much as a token. */
const pool = new Uint8Array(4096);
let usedBytes = pool.length;

function randomHex(bytes: number): string {
  if (usedBytes + bytes > pool.length) {
    crypto.getRandomValues(pool);
    usedBytes = 0;
  }
  let hex = "";
  for (const end = usedBytes + bytes; usedBytes < end; usedBytes++) {
    hex += HEX[pool[usedBytes] ?? 0];
    // No token is in memory twice.
    pool[usedBytes] = 0;
  }
  return hex;
}
