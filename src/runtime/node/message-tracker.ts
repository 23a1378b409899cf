import { KEY_BYTES, LENGTH, LENGTH_16 } from "./wire.ts";

const OPCODE = 0x0f;
const FIRST_CONTROL_OPCODE = 8;
const FIN = 0x80;

/** Process memory of a piece or a fragment besides its bytes: its Buffer, and its entry in a list. */
export const PART_BYTES = 128;

/**
 * Tracks the incomplete message that `ws` reads from one client: how many of its bytes came, and how much memory `ws`
 * holds for it.
 *
 * The tracker follows the frame headers (RFC 6455 §5.2) in the pieces that are passed to `ws`, because `ws` reports
 * only complete messages. The `ws` of Node and Deno keeps slices of the pieces: a fragment of one byte keeps
 * its whole piece in memory, with the control frames in it.
 */
export class MessageTracker {
  /**
   * Raw bytes of the incomplete message that came, control frames between its fragments included; 0 where there is
   * none.
   */
  rawBytes = 0;
  /** Process memory that the runtime holds for the incomplete message, in bytes. */
  heldBytes = 0;
  /** Whether a message has begun and its last byte has not come. */
  #isIncomplete = false;
  readonly #keepsPieces: boolean;
  /** First byte of the frame that is being read; -1 between frames. */
  #firstByte = -1;
  /** Bytes of the extended length that have not come yet. */
  #lengthBytesLeft = 0;
  /** Payload length of the frame, as far as it was read. */
  #length = 0;
  /** Bytes of mask and payload that have not come yet. */
  #bodyBytesLeft = 0;
  #isControl = false;
  #isFinal = false;
  /** Number of parts in the piece: the piece itself, and the fragments of the incomplete message that begin in it. */
  #parts = 0;

  /** @param keepsPieces Whether a part of a message keeps in memory the whole piece that it came in. */
  constructor(keepsPieces: boolean) {
    this.#keepsPieces = keepsPieces;
  }

  /** Whether no frame and no fragmented message has begun without having ended. */
  get isBetweenMessages(): boolean {
    return !this.#isIncomplete && this.#firstByte < 0;
  }

  /** Reads the next piece that came from the client. */
  read(piece: Uint8Array): void {
    // Position at which the incomplete message begins in the piece; 0 where it began in an earlier piece.
    let start = 0;
    let at = 0;
    this.#parts = 1;
    while (at < piece.length) {
      if (!this.#isIncomplete && this.#firstByte < 0) {
        // Fast path: nearly all frames are short, final, and whole in one piece.
        const length = (piece[at + 1] ?? LENGTH) & LENGTH;
        const end = at + 2 + KEY_BYTES + length;
        if (length < LENGTH_16 && end <= piece.length && (piece[at] ?? 0) >= FIN) {
          at = end;
          continue;
        }
      }
      if (this.#bodyBytesLeft > 0) {
        const bodyBytes = Math.min(this.#bodyBytesLeft, piece.length - at);
        at += bodyBytes;
        this.#bodyBytesLeft -= bodyBytes;
        if (this.#bodyBytesLeft === 0) this.#endFrame();
      } else if (this.#firstByte < 0) {
        if (this.#beginFrame(piece[at] ?? 0)) start = at;
        at++;
      } else {
        this.#readLength(piece[at] ?? 0);
        at++;
      }
    }
    if (!this.#isIncomplete) return;
    this.rawBytes += piece.length - start;
    this.heldBytes += (this.#keepsPieces ? piece.length : piece.length - start) + this.#parts * PART_BYTES;
  }

  /** Begins a frame with its first byte. @returns Whether the frame begins a message. */
  #beginFrame(firstByte: number): boolean {
    this.#firstByte = firstByte;
    this.#isControl = (firstByte & OPCODE) >= FIRST_CONTROL_OPCODE;
    this.#isFinal = (firstByte & FIN) !== 0;
    if (this.#isControl) return false;
    this.#parts++;
    if (this.#isIncomplete) return false;
    this.#isIncomplete = true;
    this.#parts = 1;
    return true;
  }

  #readLength(byte: number): void {
    if (this.#lengthBytesLeft > 0) {
      this.#length = this.#length * 256 + byte;
      this.#lengthBytesLeft--;
    } else {
      this.#length = byte & LENGTH;
      if (this.#length >= LENGTH_16) {
        this.#lengthBytesLeft = this.#length === LENGTH_16 ? 2 : 8;
        this.#length = 0;
      }
    }
    if (this.#lengthBytesLeft === 0) this.#bodyBytesLeft = KEY_BYTES + this.#length;
  }

  #endFrame(): void {
    this.#firstByte = -1;
    if (this.#isControl || !this.#isFinal) return;
    this.#isIncomplete = false;
    this.rawBytes = 0;
    this.heldBytes = 0;
  }
}
