/** What the client needs of a WebSocket: the standard's, in a browser, Node 22, Deno, Bun and Workers; that of `ws` on Node 20. */
export interface ClientSocket {
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown } & never) => void) | null;
  onclose: ((event: { code: number; reason: string } & never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type ClientSocketConstructor = new (url: string, protocols: string[]) => ClientSocket;
