import process from "node:process";

/** The global of Bun. Typed here, because `deno publish` checks this file without the types of Bun. */
const { Bun: bun } = globalThis as { readonly Bun?: { gc(isSynchronous: boolean): unknown } };

/** Bytes that are read between two checks of the process's memory. */
const CHECK_EVERY_BYTES = 8_388_608;

/** Growth of the process after which garbage is collected, in bytes. */
const MAX_GROWTH_BYTES = 67_108_864;

let readBytes = 0;
/** Smallest resident size since the last collection, in bytes. */
let baseBytes = Number.POSITIVE_INFINITY;

/**
 * Collects garbage on Bun when the process has read much and grown since the last collection.
 *
 * Bun 1.4 by itself lets the heap double first. The buffers of forwarded messages then add up to hundreds of megabytes.
 *
 * @param bytes Bytes that were read since the last call.
 */
export function collectGarbageAfterRead(bytes: number): void {
  readBytes += bytes;
  if (readBytes < CHECK_EVERY_BYTES) return;
  readBytes = 0;
  const residentBytes = process.memoryUsage.rss();
  if (residentBytes < baseBytes + MAX_GROWTH_BYTES) {
    baseBytes = Math.min(baseBytes, residentBytes);
    return;
  }
  bun?.gc(true);
  baseBytes = process.memoryUsage.rss();
}
