import type { Frame } from "../protocol/frame.ts";

/** What the core needs from one open WebSocket; each entry wraps its runtime's socket in one. */
export interface Connection {
  /** Writes the frames in order, as one write to the socket where the runtime can. Never throws; a closed socket drops them. */
  write(frames: readonly Frame[]): void;
  /** Bytes accepted by `write` that the operating system has not taken yet, also while the socket closes; 0 once the socket is gone. */
  bufferedBytes(): number;
  /**
   * Bytes that came from the client since the socket opened. Tells a client whose one large frame is still on its way
   * from one that is gone. Absent where the runtime does not count them.
   */
  receivedBytes?(): number;
  /**
   * What the client sends is refused, over its rate or because the relay has no memory left for it: reads less from it for a while.
   * Absent where the runtime reads whatever comes.
   */
  slowDown?(): void;
  /** Sends a WebSocket ping; the entry reports the pong to the link. Absent where the runtime pings by itself. */
  ping?(): void;
  /** Starts the closing handshake (RFC 6455 §7.1.2). Harmless when repeated. */
  close(code: number, reason: string): void;
  /** Drops the socket at once, without a handshake. Where the runtime cannot, it starts the closing handshake. */
  terminate(): void;
}
