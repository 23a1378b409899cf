/**
 * Fetches as `fetch` does, and reads the answer's body to its end, within a bound. `init.signal` also ends the reading.
 *
 * A server that never ends its answer otherwise fills the memory as fast as it can send until the signal comes: 1.6 GB in 5 s.
 *
 * @throws {RangeError} When the body is longer than `maxBytes`, uncompressed.
 */
export async function boundedFetch(url: string, init: RequestInit, maxBytes: number): Promise<Response> {
  const { body, status, headers } = await fetch(url, init);
  const reader = body?.getReader();
  if (reader === undefined) return new Response(null, { status, headers });
  const stop = (): void => void reader.cancel().catch(() => {});
  // The signal has ended the connection as well; whether the reading notices is the runtime's own matter.
  init.signal?.addEventListener("abort", stop, { once: true });
  try {
    const bytes = await readAll(reader, maxBytes);
    init.signal?.throwIfAborted();
    return new Response(bytes, { status, headers });
  } finally {
    init.signal?.removeEventListener("abort", stop);
    stop();
  }
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > maxBytes) throw new RangeError(`Cannot read the answer: it is longer than ${maxBytes} bytes`);
    pieces.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
