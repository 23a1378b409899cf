import type { Frame } from "../../core/protocol/frame.ts";
import { maxWireBytes, wireBytes, writeFrames } from "./frame-bytes.ts";

const SLAB_BYTES = 16_384;

/**
 * Memory in which the frames of one write are joined. It is filled from its start; when the operating system has taken
 * a write at once, the write's part is used again. A queued write keeps its whole slab in memory. So slabs are small,
 * and a socket with queued writes gets buffers of its own.
 */
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let usedBytes = 0;

/**
 * Joins the frames in the slab; in a buffer of their own where they may not fit.
 *
 * @param start ASCII text to write before the frames.
 */
export function joinInSlab(start: string, frames: readonly Frame[]): Buffer {
  let maxBytes = start.length;
  for (const frame of frames) maxBytes += maxWireBytes(frame);
  if (maxBytes > SLAB_BYTES) return joinInOwnBuffer(start, frames);
  if (usedBytes + maxBytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    usedBytes = 0;
  }
  const joined = write(slab, usedBytes, start, frames);
  usedBytes += joined.length;
  return joined;
}

/** Uses the memory of the latest `joinInSlab` again: the operating system has taken its bytes. */
export function reuse(joined: Buffer): void {
  if (joined.buffer === slab.buffer) usedBytes -= joined.length;
}

/** Joins the frames in a new buffer of exactly their length. */
export function joinInOwnBuffer(start: string, frames: readonly Frame[]): Buffer {
  let bytes = start.length;
  for (const frame of frames) bytes += wireBytes(frame);
  return write(Buffer.allocUnsafeSlow(bytes), 0, start, frames);
}

function write(target: Buffer, at: number, start: string, frames: readonly Frame[]): Buffer {
  // Without a start the view that `writeFrames` makes is the result: a second one costs as much as a tenth of a message.
  if (start === "") return writeFrames(target, at, frames);
  target.write(start, at, "latin1");
  return target.subarray(at, at + start.length + writeFrames(target, at + start.length, frames).length);
}
