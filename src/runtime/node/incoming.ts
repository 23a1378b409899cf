const OPCODE = 0x0f;
const FIRST_CONTROL_OPCODE = 8;
const FIN = 0x80;
const LENGTH = 0x7f;
const MASK_BYTES = 4;

/** Process memory that a piece or a fragment takes besides its bytes: its Buffer, and its place in a list. */
const PART_BYTES = 128;

/**
 * Follows the frame headers in what one client sends (RFC 6455 §5.2), and knows how much of an incomplete message the
 * runtime holds. No event of `ws` tells of part of a message.
 *
 * The `ws` of Node and Deno keeps slices of the pieces that were read: a fragment of one byte keeps its whole piece in
 * memory, with the control frames in it.
 */
export class IncomingMessage {
  /** Raw bytes that came for the incomplete message, control frames between its parts included; 0 where there is none. */
  rawBytes = 0;
  /** Process memory that the runtime holds for the incomplete message, in bytes. */
  heldBytes = 0;
  /** Whether a message has begun and its last byte has not come. */
  #isIncomplete = false;
  readonly #keepsPieces: boolean;
  /** First byte of the frame whose length has not come yet; -1 between frames. */
  #first = -1;
  /** Bytes of the extended length that have not come yet. */
  #lengthBytes = 0;
  #length = 0;
  /** Bytes of mask and payload that have not come yet. */
  #restBytes = 0;
  #isControl = false;
  #isLast = false;
  /** The piece, and the fragments of the incomplete message that begin in it. */
  #parts = 0;

  /** @param keepsPieces Whether a part of a message keeps the whole piece in memory that it came in. */
  constructor(keepsPieces: boolean) {
    this.#keepsPieces = keepsPieces;
  }

  /** Takes the next piece of what the client sent. */
  read(piece: Uint8Array): void {
    // Where the message that is incomplete at the end of the piece begins.
    let start = 0;
    let at = 0;
    this.#parts = 1;
    while (at < piece.length) {
      if (!this.#isIncomplete && this.#first < 0) {
        // Nearly all frames are short, whole and messages of their own.
        const length = (piece[at + 1] ?? LENGTH) & LENGTH;
        const end = at + 2 + MASK_BYTES + length;
        if (length < 126 && end <= piece.length && (piece[at] ?? 0) >= FIN) {
          at = end;
          continue;
        }
      }
      if (this.#restBytes > 0) {
        const taken = Math.min(this.#restBytes, piece.length - at);
        at += taken;
        this.#restBytes -= taken;
        if (this.#restBytes === 0) this.#endFrame();
      } else if (this.#first < 0) {
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

  /** @returns Whether a message begins with the frame. */
  #beginFrame(first: number): boolean {
    this.#first = first;
    this.#isControl = (first & OPCODE) >= FIRST_CONTROL_OPCODE;
    this.#isLast = (first & FIN) !== 0;
    if (this.#isControl) return false;
    this.#parts++;
    if (this.#isIncomplete) return false;
    this.#isIncomplete = true;
    this.#parts = 1;
    return true;
  }

  #readLength(byte: number): void {
    if (this.#lengthBytes > 0) {
      this.#length = this.#length * 256 + byte;
      this.#lengthBytes--;
    } else {
      this.#length = byte & LENGTH;
      if (this.#length >= 126) {
        this.#lengthBytes = this.#length === 126 ? 2 : 8;
        this.#length = 0;
      }
    }
    if (this.#lengthBytes === 0) this.#restBytes = MASK_BYTES + this.#length;
  }

  #endFrame(): void {
    this.#first = -1;
    if (this.#isControl || !this.#isLast) return;
    this.#isIncomplete = false;
    this.rawBytes = 0;
    this.heldBytes = 0;
  }
}
