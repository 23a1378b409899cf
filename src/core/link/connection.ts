import type { Frame } from "../protocol/frame.ts";

/** One open WebSocket, as the core uses it. Each runtime wraps its own socket in one. */
export interface Connection {
  /**
   * Writes the frames in order, as one write to the socket if the runtime can. Never throws: a closed socket drops the
   * frames.
   */
  write(frames: readonly Frame[]): void;
  /**
   * Returns the bytes accepted by `write` that the operating system has not taken yet. They count while the socket
   * closes, too; 0 once the socket is gone.
   */
  bufferedBytes(): number;
  /**
   * Returns the bytes received from the client since the socket opened. They distinguish a client that is still sending
   * a large frame from one that is gone. Absent if the runtime does not count them.
   */
  receivedBytes?(): number;
  /**
   * Reads more slowly from the client for a while: the relay refuses its frames, because it is over its rate or because
   * the relay is out of memory. Absent if the runtime cannot read more slowly.
   */
  slowDown?(): void;
  /** Sends a WebSocket ping; the entry reports the pong to the link. Absent if the runtime pings by itself. */
  ping?(): void;
  /** Starts the closing handshake (RFC 6455 §7.1.2). Harmless when repeated. */
  close(code: number, reason: string): void;
  /** Drops the socket at once, without a handshake. If the runtime cannot, it starts the closing handshake. */
  terminate(): void;
}
