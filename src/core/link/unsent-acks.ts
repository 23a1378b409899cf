import type { Frame } from "../protocol/frame.ts";

/** Largest header of a frame (RFC 6455 §5.2), and the digits of its largest number. */
const MAX_FRAME_EXTRA_BYTES = 26;

/** Bytes that a runtime may count for one write in addition to the bytes written. */
const MAX_WRITE_EXTRA_BYTES = 512;

/** Maximum UTF-8 bytes of one UTF-16 unit. */
const MAX_UNIT_BYTES = 3;

/** The acks that one write passed to the runtime. */
interface Written {
  readonly acks: number;
  /** Maximum bytes written before that write. */
  readonly start: number;
}

/**
 * Counts the acks of one connection that the operating system has certainly not taken yet. Writes are estimated at
 * their maximum size, and the acks of a write count only while its first byte is certainly still there.
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
   * The outbox wrote all its frames.
   *
   * @param unsentBytes Bytes in the runtime's buffer after the write.
   */
  onFlush(frames: readonly Frame[], unsentBytes: number): void {
    if (unsentBytes === 0) {
      this.#forgetWritten();
    } else {
      if (this.#inOutbox > 0) this.#written.push({ acks: this.#inOutbox, start: this.#writtenBytes });
      this.#writtenBytes += MAX_WRITE_EXTRA_BYTES;
      for (const frame of frames) this.#writtenBytes += maxBytes(frame);
      this.#inRuntime += this.#inOutbox;
    }
    this.#inOutbox = 0;
  }

  /** Upper bound of what `count` returns. Does not need the runtime's buffered bytes. */
  get maxCount(): number {
    return this.#inOutbox + this.#inRuntime;
  }

  /** Returns the acks that the operating system has not taken. @param unsentBytes Bytes in the runtime's buffer. */
  count(unsentBytes: number): number {
    if (unsentBytes === 0) this.#forgetWritten();
    let taken = 0;
    // A write is certainly complete in the buffer only if the buffer holds at least that write and all later ones.
    for (const { acks, start } of this.#written) {
      if (this.#writtenBytes - start < unsentBytes) break;
      this.#inRuntime -= acks;
      taken++;
    }
    if (taken > 0) this.#written.splice(0, taken);
    return this.#inOutbox + this.#inRuntime;
  }

  #forgetWritten(): void {
    if (this.#inRuntime > 0) this.#written = [];
    this.#inRuntime = 0;
    this.#writtenBytes = 0;
  }
}

/** Returns the maximum bytes that the frame takes on the wire. */
function maxBytes({ size, payload }: Frame): number {
  return MAX_FRAME_EXTRA_BYTES + size + (typeof payload === "string" ? payload.length * (MAX_UNIT_BYTES - 1) : 0);
}
