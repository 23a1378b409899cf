import { WebSocket } from "ws";
import type { Link } from "../../core/link/link.ts";

/**
 * A socket of `ws` that reports to its link, and takes no listeners. Those of node-ws make an event of every message, decode every
 * text, copy every byte, and keep the request with all that Hono made of it for as long as the connection lasts.
 */
export class RelaySocket extends WebSocket {
  link: Link | undefined = undefined;
  clients: Set<WebSocket> | undefined = undefined;
  /** The latest ping that has no pong yet. */
  #ping: Buffer | undefined = undefined;
  #isAnswering = false;

  override on(): this {
    return this;
  }

  override emit(event: string, data?: unknown, detail?: unknown): boolean {
    const { link } = this;
    switch (event) {
      case "message":
        // With nodebuffer, the default, `ws` gives one Buffer; text is UTF-8 that it has checked.
        link?.onMessage(data as Buffer, detail === true);
        return true;
      case "ping":
        this.#answer(data as Buffer);
        link?.onPong();
        return true;
      case "pong":
        link?.onPong();
        return true;
      case "error":
        // Only what came from the client and breaks the protocol is an error here. Bun's ws reports 1006 for it when it is gone.
        if (data instanceof Error) link?.onPeerClosing(codeBehind(data), data.message);
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
   * Answers a ping, but one that has followed it in its place (RFC 6455 §5.5.3): one pong for all that came in one piece, and no
   * other before it is on its way. So who sends pings and reads nothing has one pong wait for it, not one for each.
   */
  #answer(ping: Buffer): void {
    // Of the piece that came, no more than this is kept.
    this.#ping = Buffer.from(ping);
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    queueMicrotask(() => this.#sendPong());
  }

  #sendPong(): void {
    const ping = this.#ping;
    this.#ping = undefined;
    this.#isAnswering = ping !== undefined;
    if (ping !== undefined) super.pong(ping, false, () => this.#sendPong());
  }

  /**
   * The socket has been written to for the last time: after a client's close frame, which the `ws` of Bun 1.4 answers without a
   * call of `close`. It reports the code by an event only when the socket is gone, but keeps it here, as the original does.
   */
  answeredClose(): void {
    const { _closeCode: code = 1006 } = this as { _closeCode?: number };
    this.link?.onPeerClosing(code, "");
  }

  /** `ws` 8.23 calls this for a client's close frame too, and reports it by an event only when the socket is gone. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.link?.onPeerClosing(code ?? 1005, reason?.toString() ?? "");
  }
}

/** The code with which a socket is closed on which this went wrong (RFC 6455 §7.4.1). */
function codeBehind({ message }: Error): number {
  if (message.startsWith("Max payload size exceeded")) return 1009;
  if (message.includes("UTF-8")) return 1007;
  return message.startsWith("Invalid WebSocket frame") ? 1002 : 1006;
}
