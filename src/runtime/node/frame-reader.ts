import { isUtf8 } from "node:buffer";
import process from "node:process";
import type { Link } from "../../core/link/link.ts";
import { type Closing, readClosing } from "./control-frames.ts";
import { applyMask } from "./mask.ts";
import { MessageTracker, PART_BYTES } from "./message-tracker.ts";
import { FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, KEY_BYTES, LENGTH, LENGTH_16, MASKED } from "./wire.ts";

const NO_BYTES = Buffer.alloc(0);

/** Memory of an incomplete message from which on it counts as held by its link, in bytes: that of one piece of Node. */
const UNCOUNTED_BYTES = 65_536 + PART_BYTES;

const isBun = "bun" in process.versions;

/** A message whose frame is not complete. */
interface PartialMessage {
  /** The frame's header, with its masking key in the last four bytes. */
  readonly header: Buffer;
  /** Length of the payload, in bytes. */
  readonly length: number;
  /** The payload as far as it came, unmasked. */
  readonly parts: Buffer[];
  /** Bytes of all parts. */
  partBytes: number;
  /** Process memory that the parts take, in bytes. */
  heldBytes: number;
  isAscii: boolean;
}

/** Handles what a FrameReader reads. */
export interface FrameHandler {
  /** Receives messages and signs of life; `undefined` until the connection is open. */
  readonly link: Pick<Link, "onMessage" | "onPong" | "onPartialMessage"> | undefined;
  /** Whether `ws` has the socket, and with it the close. */
  readonly isOfWs: boolean;
  answerPing(payload: Buffer): void;
  /** Answers the client's close frame. Nothing is read after it. */
  answerClose(closing: Closing): void;
  /** Has `ws` read the bytes. */
  passToWs(bytes: Buffer): void;
}

/**
 * Reads the frames of one client, in the pieces that come from its socket.
 *
 * It reads by itself what nearly all frames are: a whole text or binary message, a ping, a pong, or a close frame, that
 * keeps to the protocol. From any other frame on, it passes the bytes to `ws`, until a turn of the event loop ends
 * between two messages. So `ws` alone reads fragments, and everything that breaks the protocol or a limit.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #maxMessageBytes: number;
  /** Follows the bytes that are passed to `ws`; absent until the first of them. */
  #tracker: MessageTracker | undefined = undefined;
  #isReadByWs = false;
  #isReturnScheduled = false;
  /** The beginning of a frame that is too short to be read: a part of its header, or of a pong. */
  #rest = NO_BYTES;
  #partial: PartialMessage | undefined = undefined;
  /** Whether the link counts the memory of an incomplete message. */
  #isCounted = false;
  /** Whether the client has closed, or the link has ended over an incomplete message. What follows is dropped. */
  #isDiscarding = false;

  constructor(handler: FrameHandler, maxMessageBytes: number) {
    this.#handler = handler;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Reads the next piece. Unmasks its bytes in place. */
  read(piece: Buffer): void {
    if (this.#isDiscarding) return;
    if (this.#isReadByWs) {
      this.#passOn(piece, 0);
      return;
    }
    let bytes = piece;
    let at = 0;
    if (this.#partial !== undefined) {
      at = this.#readPart(this.#partial, piece);
    } else if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, piece]);
      this.#rest = NO_BYTES;
    }
    while (at < bytes.length) at = this.#readFrame(bytes, at);
  }

  /** Reads the frame that begins at `at`. @returns The position after it; the end if the rest has been dealt with. */
  #readFrame(bytes: Buffer, at: number): number {
    const end = bytes.length;
    if (at + 2 > end) return this.#keepRest(bytes, at);
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    let length = second & LENGTH;
    const isMessage = first === FIN_TEXT || first === FIN_BINARY;
    const isUsual = isMessage || (isControl(first) && length < LENGTH_16);
    if (!isUsual || second < MASKED) return this.#passOn(bytes, at);
    let keyStart = at + 2;
    if (length >= LENGTH_16) {
      keyStart += length === LENGTH_16 ? 2 : 8;
      if (keyStart > end) return this.#keepRest(bytes, at);
      length = length === LENGTH_16 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    }
    if (length > this.#maxMessageBytes) return this.#passOn(bytes, at);
    const start = keyStart + KEY_BYTES;
    const next = start + length;
    if (start > end || (next > end && !isMessage)) return this.#keepRest(bytes, at);
    if (next > end) return this.#beginPartial(bytes, at, start, length);
    if (first === FIN_PONG) {
      this.#handler.link?.onPong();
      return next;
    }
    if (first === FIN_CLOSE && this.#handler.isOfWs) return this.#passOn(bytes, at);
    const isAscii = applyMask(bytes, start, next, bytes, keyStart);
    const payload = bytes.subarray(start, next);
    const closing = first === FIN_CLOSE ? readClosing(payload) : undefined;
    const isBroken = first === FIN_CLOSE ? closing === undefined : first === FIN_TEXT && !isAscii && !isUtf8(payload);
    if (isBroken) {
      applyMask(bytes, start, next, bytes, keyStart);
      return this.#passOn(bytes, at);
    }
    if (isMessage) {
      this.#handler.link?.onMessage(payload, first === FIN_BINARY);
      return next;
    }
    if (closing === undefined) {
      this.#handler.answerPing(payload);
      this.#handler.link?.onPong();
      return next;
    }
    this.#discard();
    this.#handler.answerClose(closing);
    return end;
  }

  /** Keeps the bytes from `at` on for the next piece. @returns The end of the bytes. */
  #keepRest(bytes: Buffer, at: number): number {
    this.#rest = Buffer.from(bytes.subarray(at));
    return bytes.length;
  }

  /** Keeps the first part of the message whose frame begins at `at`. @returns The end of the bytes. */
  #beginPartial(bytes: Buffer, at: number, start: number, length: number): number {
    const header = Buffer.from(bytes.subarray(at, start));
    this.#partial = { header, length, parts: [], partBytes: 0, heldBytes: 0, isAscii: true };
    this.#addPart(this.#partial, bytes, start, bytes.length);
    return bytes.length;
  }

  /** Reads the next part of the message. @returns The position after it. */
  #readPart(partial: PartialMessage, piece: Buffer): number {
    const { header, length, parts } = partial;
    const end = Math.min(piece.length, length - partial.partBytes);
    this.#addPart(partial, piece, 0, end);
    if (partial.partBytes < length) return end;
    this.#partial = undefined;
    this.#countHeld(0, 0);
    const payload = joinParts(parts, length);
    const isBinary = header[0] === FIN_BINARY;
    if (isBinary || partial.isAscii || isUtf8(payload)) {
      this.#handler.link?.onMessage(payload, isBinary);
      return end;
    }
    applyMask(payload, 0, length, header, header.length - KEY_BYTES);
    this.#passOn(Buffer.concat([header, payload, piece.subarray(end)]), 0);
    return piece.length;
  }

  #addPart(partial: PartialMessage, piece: Buffer, start: number, end: number): void {
    const { header, length } = partial;
    const isAscii = applyMask(piece, start, end, header, header.length - KEY_BYTES, partial.partBytes);
    partial.isAscii &&= isAscii;
    partial.parts.push(piece.subarray(start, end));
    partial.partBytes += end - start;
    // A part keeps its whole piece in memory.
    partial.heldBytes += piece.length + PART_BYTES;
    if (partial.partBytes < length) this.#countHeld(partial.heldBytes, header.length + partial.partBytes);
  }

  /** Has `ws` read the bytes from `at` on. @returns The end of the bytes. */
  #passOn(bytes: Buffer, at: number): number {
    // Bun copies the parts of a message into memory of their own.
    this.#tracker ??= new MessageTracker(!isBun);
    const tracker = this.#tracker;
    const rest = bytes.subarray(at);
    tracker.read(rest);
    this.#isReadByWs = true;
    this.#scheduleReturn(tracker);
    this.#countHeld(tracker.heldBytes, tracker.rawBytes);
    if (!this.#isDiscarding) this.#handler.passToWs(rest);
    return bytes.length;
  }

  /**
   * Has the frames read here again, if the turn ends between two messages. Not earlier: where a frame broke the
   * protocol, `ws` stops listening to the socket only some ticks later, and no later frame may count.
   */
  #scheduleReturn(tracker: MessageTracker): void {
    if (this.#isReturnScheduled) return;
    this.#isReturnScheduled = true;
    setImmediate(() => {
      this.#isReturnScheduled = false;
      this.#isReadByWs = !tracker.isBetweenMessages;
    });
  }

  /** Reports to the link how much memory is about to be held for an incomplete message. */
  #countHeld(heldBytes: number, rawBytes: number): void {
    if (heldBytes > UNCOUNTED_BYTES) {
      this.#isCounted = true;
      // The link has ended. The bytes that follow are read and dropped, because the client's close comes last.
      if (this.#handler.link?.onPartialMessage(heldBytes, rawBytes) === false) this.#discard();
    } else if (this.#isCounted) {
      this.#isCounted = false;
      this.#handler.link?.onPartialMessage(0, 0);
    }
  }

  #discard(): void {
    this.#isDiscarding = true;
    this.#partial = undefined;
  }
}

function isControl(first: number): boolean {
  return first === FIN_PONG || first === FIN_PING || first === FIN_CLOSE;
}

function joinParts(parts: readonly Buffer[], length: number): Buffer {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const joined = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
