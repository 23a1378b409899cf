import { owned } from "../protocol/owned.ts";

/** Signs a text with a secret that nobody else has. The same text always has the same signature, and all are of one length. */
export interface TokenSigner {
  /** Returns the signature, of characters that may stand in a URL as they are. */
  sign(text: string): string;
}

/** The parts of a resume token that an earlier process signed. */
export interface EarlierToken {
  readonly key: string;
  /** The id of the session that the token was issued for. */
  readonly id: string;
  /** Time of issue, in milliseconds since 1970. Of two tokens with one key, the later one was issued later. */
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

/** Key, secret, process, time of issue, id and signature. */
const SIGNED = /^([0-9a-f]{16})([0-9a-f]{48})([0-9a-f]{16})([0-9a-f]{12})([A-Za-z0-9._~-]{1,64})!(.+)$/;

/**
 * Spells resume tokens. A token begins with the key of its session, which stays the same, followed by a secret, which is
 * another in each token: so an outdated token still tells which session it was for. A signed token also tells the next
 * process.
 */
export class TokenFormat {
  readonly #signer: TokenSigner | undefined;
  readonly #process = randomHex(PROCESS_BYTES);

  /** @param signer Signs every token. Default: none is signed. */
  constructor(signer?: TokenSigner) {
    this.#signer = signer;
  }

  /** Whether a token means something to a process that starts later. */
  get isSigned(): boolean {
    return this.#signer !== undefined;
  }

  /** Stands before the numbers of this process, so that no other process gives the same id. Empty where no token is signed. */
  get idPrefix(): string {
    return this.#signer === undefined ? "" : `${this.#process.slice(0, PREFIX_CHARACTERS)}-`;
  }

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

  /** Reads a token of an earlier process; `undefined` for any other text. */
  readEarlier(token: string): EarlierToken | undefined {
    if (this.#signer === undefined) return undefined;
    const [, key = "", secret = "", process = "", time = "", id = "", signature = ""] = SIGNED.exec(token) ?? [];
    if (id === "" || process === this.#process) return undefined;
    if (!isSame(this.#signer.sign(key + secret + process + time + id), signature)) return undefined;
    return { key: owned(key), id: owned(id), issuedAt: Number.parseInt(time, 16) };
  }
}

/** Reads the key of a token; `undefined` where the text begins with none. */
export function keyOf(token: string): string | undefined {
  return KEY.test(token) ? owned(token.slice(0, KEY_CHARACTERS)) : undefined;
}

/** Compares in a time that does not tell where two texts differ. */
export function isSame(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let differences = 0;
  for (let at = 0; at < one.length; at++) differences |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return differences === 0;
}

function randomHex(bytes: number): string {
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("");
}
