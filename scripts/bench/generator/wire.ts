/** One TCP connection to a server, as the generator needs it: bytes in, bytes out, no streams. */
export interface Wire {
  /** Writes the bytes, or keeps a copy of what the operating system does not take at once: their memory is used again. */
  write(bytes: Uint8Array): void;
  /** Drops the connection. */
  end(): void;
}

/** Whom a wire reports to. `data` must be done with the chunk when it returns: its memory is used again. */
export interface WireUser {
  opened(wire: Wire): void;
  data(chunk: Uint8Array, length: number): void;
  closed(reason: string): void;
}

/** Opens a connection to a port of 127.0.0.1. */
export type Connect = (port: number, user: WireUser) => void;
