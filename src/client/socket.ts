/**
 * The part of a WebSocket that the client uses. Browsers, Node 22, Deno, Bun and Workers have one; for Node 20 there is
 * that of `ws`.
 */
export interface ClientSocket {
  readonly protocol: string;
  onmessage: ((event: { data: unknown } & never) => void) | null;
  onclose: ((event: { code: number; reason: string } & never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type ClientSocketConstructor = new (url: string, protocols: string[]) => ClientSocket;
