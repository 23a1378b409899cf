/** Bytes from which on a mask is applied four bytes at a time. Below, a view of the memory costs more than it saves. */
const MIN_WORD_BYTES = 96;

/** The highest bit of each byte of a number. It is set in bytes that are not ASCII. */
const HIGH_BITS = 0x8080_8080;

/** Four bytes of a masking key, to read them as one number in the byte order of this machine. */
const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

/**
 * Applies the masking key of a frame (RFC 6455 §5.3) to the bytes from `start` to `end`, in place: unmasks masked
 * bytes, and masks unmasked ones.
 *
 * @param key Holds the four bytes of the key, from index `keyStart` on.
 * @param phase Number of payload bytes before `start`: in each part of a payload, the key goes on where it ended in the
 * part before.
 * @returns Whether all resulting bytes are ASCII.
 */
export function applyMask(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: Uint8Array,
  keyStart: number,
  phase = 0,
): boolean {
  const isLong = end - start >= MIN_WORD_BYTES;
  const aligned = isLong ? start + (-(bytes.byteOffset + start) & 3) : end;
  let seen = applyByByte(bytes, start, aligned, key, keyStart, phase);
  if (!isLong) return (seen & HIGH_BITS) === 0;
  const wordPhase = phase + aligned - start;
  const words = (end - aligned) >> 2;
  for (let i = 0; i < 4; i++) keyBytes[i] = key[keyStart + ((wordPhase + i) & 3)] ?? 0;
  seen |= applyByWord(new Int32Array(bytes.buffer, bytes.byteOffset + aligned, words), keyWord[0] ?? 0);
  seen |= applyByByte(bytes, aligned + words * 4, end, key, keyStart, wordPhase);
  return (seen & HIGH_BITS) === 0;
}

/** @returns A number that has each bit that is set in one of the resulting bytes. */
function applyByByte(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: Uint8Array,
  keyStart: number,
  phase: number,
): number {
  const key0 = key[keyStart + (phase & 3)] ?? 0;
  const key1 = key[keyStart + ((phase + 1) & 3)] ?? 0;
  const key2 = key[keyStart + ((phase + 2) & 3)] ?? 0;
  const key3 = key[keyStart + ((phase + 3) & 3)] ?? 0;
  let seen = 0;
  let at = start;
  for (; at + 3 < end; at += 4) {
    seen |= bytes[at] = (bytes[at] ?? 0) ^ key0;
    seen |= bytes[at + 1] = (bytes[at + 1] ?? 0) ^ key1;
    seen |= bytes[at + 2] = (bytes[at + 2] ?? 0) ^ key2;
    seen |= bytes[at + 3] = (bytes[at + 3] ?? 0) ^ key3;
  }
  if (at < end) seen |= bytes[at] = (bytes[at] ?? 0) ^ key0;
  if (at + 1 < end) seen |= bytes[at + 1] = (bytes[at + 1] ?? 0) ^ key1;
  if (at + 2 < end) seen |= bytes[at + 2] = (bytes[at + 2] ?? 0) ^ key2;
  return seen;
}

/** @returns A number that has each bit that is set in one of the resulting words. */
function applyByWord(words: Int32Array, key: number): number {
  let seen = 0;
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] ?? 0) ^ key;
    words[i] = word;
    seen |= word;
  }
  return seen;
}
