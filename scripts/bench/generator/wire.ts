/** TCP connection to a server, without streams. */
export interface Wire {
  /** Writes the bytes, and copies those that the operating system does not accept at once: their memory is reused. */
  write(bytes: Uint8Array): void;
  /** Drops the connection. */
  end(): void;
}

/** Receives a wire's events. The memory of a chunk is reused after `onData` returns. */
export interface WireUser {
  onOpen(wire: Wire): void;
  onData(chunk: Uint8Array, length: number): void;
  onClose(reason: string): void;
}

/** Opens a connection to a port of 127.0.0.1. */
export type Connect = (port: number, user: WireUser) => void;
