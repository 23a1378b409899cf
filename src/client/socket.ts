/**
 * The part of a WebSocket that the client uses. Browsers, Node 22, Deno, Bun and Workers have a global WebSocket; on
 * Node 20, pass the one of `ws`.
 */
export interface ClientSocket {
  /** The subprotocol that the relay has answered. */
  readonly protocol: string;
  /** Called for each frame. */
  onmessage: ((event: { data: unknown } & never) => void) | null;
  /** Called once, when the socket is closed or could not be opened. */
  onclose: ((event: { code: number; reason: string } & never) => void) | null;
  /** Called before `onclose` where something failed. */
  onerror: ((event: never) => void) | null;
  /** The client sets it to `arraybuffer`. */
  binaryType: string;
  /** Sends a text frame, or a binary frame. */
  send(data: string | Uint8Array): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
}

/** A WebSocket class, such as the global one or that of `ws`. */
export type ClientSocketConstructor = new (url: string, protocols: string[]) => ClientSocket;
