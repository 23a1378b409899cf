import type { Frame } from "../protocol/frame.ts";

/** Largest header of a frame (RFC 6455 §5.2) and most digits of its number. */
const FRAME_BYTES = 26;

/** What a runtime may count for one write besides its bytes. */
const WRITE_BYTES = 512;

/** UTF-8 bytes of a UTF-16 unit at the most. */
const UNIT_BYTES = 3;

/** Acks that went to the runtime in one write. */
interface Written {
  readonly acks: number;
  /** Bytes written before that write, at the most. */
  readonly start: number;
}

/**
 * Counts the acks of one connection that the operating system has certainly not taken yet. Bytes are estimated at their
 * most, and the acks of one write count until the first byte of it may have gone: no ack counts that may have left.
 */
export class UnsentAcks {
  #inOutbox = 0;
  #inRuntime = 0;
  #written: Written[] = [];
  #writtenBytes = 0;

  /** Counts an ack that is about to be put into the outbox. */
  add(): void {
    this.#inOutbox++;
  }

  /**
   * Notes that the outbox was written.
   *
   * @param unsentBytes Bytes that the operating system has not taken since.
   */
  flushed(frames: readonly Frame[], unsentBytes: number): void {
    if (unsentBytes === 0) {
      this.#forgetWritten();
    } else {
      if (this.#inOutbox > 0) this.#written.push({ acks: this.#inOutbox, start: this.#writtenBytes });
      this.#writtenBytes += WRITE_BYTES;
      for (const frame of frames) this.#writtenBytes += mostBytes(frame);
      this.#inRuntime += this.#inOutbox;
    }
    this.#inOutbox = 0;
  }

  /** Acks that were counted and not found to be taken yet; `count` gives fewer or as many. */
  get atMost(): number {
    return this.#inOutbox + this.#inRuntime;
  }

  /** Acks that the operating system has not taken. @param unsentBytes Bytes that it has not taken. */
  count(unsentBytes: number): number {
    if (unsentBytes === 0) this.#forgetWritten();
    let left = 0;
    // A write waits as a whole only where more waits than it and those after it.
    for (const { acks, start } of this.#written) {
      if (this.#writtenBytes - start < unsentBytes) break;
      this.#inRuntime -= acks;
      left++;
    }
    if (left > 0) this.#written.splice(0, left);
    return this.#inOutbox + this.#inRuntime;
  }

  #forgetWritten(): void {
    if (this.#inRuntime > 0) this.#written = [];
    this.#inRuntime = 0;
    this.#writtenBytes = 0;
  }
}

/** Bytes that the frame takes on the wire at the most. */
function mostBytes({ size, payload }: Frame): number {
  return FRAME_BYTES + size + (typeof payload === "string" ? payload.length * (UNIT_BYTES - 1) : 0);
}
