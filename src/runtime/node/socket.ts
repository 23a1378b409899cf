import { WebSocket } from "ws";
import type { Link } from "../../core/link/link.ts";

/** Owner of a socket of `ws`. */
export interface SocketOwner {
  /** Receives what the socket reports; `undefined` until the connection is open. */
  readonly link: Link | undefined;
  answerPing(payload: Buffer): void;
}

/**
 * A socket of `ws` that reports to the link of its client, and takes no listeners. The listeners of node-ws would create an event for
 * each message, decode each text, copy all bytes, and keep the request and its Hono context in memory for as long as
 * the connection lasts.
 */
export class RelaySocket extends WebSocket {
  /** Set when the socket is open. */
  client: SocketOwner | undefined = undefined;
  /** The open sockets of the `ws` server, this one among them. */
  clients: Set<WebSocket> | undefined = undefined;

  /** Ignores the listener. */
  override on(): this {
    return this;
  }

  /** Reports an event of `ws` to the link. */
  override emit(event: string, data?: unknown, detail?: unknown): boolean {
    const link = this.client?.link;
    switch (event) {
      case "message":
        // With the binary type nodebuffer, the default, the data is one Buffer. `ws` has checked that text is UTF-8.
        link?.onMessage(data as Buffer, detail === true);
        return true;
      case "ping":
        this.client?.answerPing(data as Buffer);
        link?.onPong();
        return true;
      case "pong":
        link?.onPong();
        return true;
      case "error":
        // `ws` emits an error only for a frame that breaks the protocol. On Bun the close event comes with 1006 then.
        if (data instanceof Error) link?.onPeerClosing(closeCodeFor(data), data.message);
        return true;
      case "close":
        this.clients?.delete(this);
        link?.onSocketGone(Number(data), String(detail));
        return true;
      default:
        return false;
    }
  }

  /**
   * Reports a client's close frame that `ws` has answered. To be called on Bun when the socket was written to for the
   * last time: the `ws` of Bun 1.4 answers a close frame without a call of `close`, and emits an event only when the
   * socket is gone. It keeps the code in `_closeCode`, as `ws` itself does.
   */
  reportAnsweredClose(): void {
    const { _closeCode: code = 1006 } = this as { _closeCode?: number };
    this.client?.link?.onPeerClosing(code, "");
  }

  /**
   * Starts the closing handshake. `ws` 8.23 calls this also to answer a client's close frame, and emits an event only
   * when the socket is gone; so the link is told here.
   */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.client?.link?.onPeerClosing(code ?? 1005, reason?.toString() ?? "");
  }
}

/** Returns the code with which `ws` closes the socket after this error (RFC 6455 §7.4.1). */
function closeCodeFor({ message }: Error): number {
  if (message.startsWith("Max payload size exceeded")) return 1009;
  if (message.includes("UTF-8")) return 1007;
  return message.startsWith("Invalid WebSocket frame") ? 1002 : 1006;
}
