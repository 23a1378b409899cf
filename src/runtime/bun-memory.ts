import process from "node:process";

/** What is read between one look at the process's memory and the next, in bytes. */
const LOOK_BYTES = 8_388_608;

/** What the process may grow by before its garbage is collected, in bytes. */
const GROWTH_BYTES = 67_108_864;

let readBytes = 0;
let leastBytes = Number.POSITIVE_INFINITY;

/**
 * Collects garbage on Bun when much has been read and the process has grown by it.
 *
 * Left alone, Bun 1.4 lets the heap double first, and the buffers of messages that were long since forwarded add up to hundreds of megabytes.
 *
 * @param bytes How many have been read since the last call.
 */
export function collectInTime(bytes: number): void {
  readBytes += bytes;
  if (readBytes < LOOK_BYTES) return;
  readBytes = 0;
  const residentBytes = process.memoryUsage.rss();
  if (residentBytes < leastBytes + GROWTH_BYTES) {
    leastBytes = Math.min(leastBytes, residentBytes);
    return;
  }
  Bun.gc(true);
  leastBytes = process.memoryUsage.rss();
}
