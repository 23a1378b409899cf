import { CLOSE_CODES } from "../../core/link/close-codes.ts";
import type { Connection } from "../../core/link/connection.ts";
import type { Link } from "../../core/link/link.ts";
import { type Frame, frameText } from "../../core/protocol/frame.ts";
import type { Open, UpgradeWebSocket } from "../../http/runtime.ts";
import { watchResponse } from "../watch-response.ts";

/** What the app's handlers see of a request on Deno, which hands it to `fetch` as a second argument. */
export interface DenoEnv {
  Bindings: { readonly remoteAddr?: Deno.Addr };
}

export interface DenoUpgradeOptions {
  /** Seconds of silence after which Deno closes a connection by itself; it pings at half of it. */
  readonly idleTimeoutSeconds: number;
}

/**
 * The upgrade for Deno.serve. Not `hono/deno`'s: that answers a subprotocol that the relay does not speak, and takes
 * `Upgrade: WebSocket` for no upgrade.
 */
export function createDenoUpgrade(options: DenoUpgradeOptions): UpgradeWebSocket<DenoEnv> {
  return (c, open, protocol, abandon) => {
    const { socket, response } = Deno.upgradeWebSocket(c.req.raw, { idleTimeout: options.idleTimeoutSeconds });
    // Not by upgradeWebSocket's own option: it takes an offer of `a,b`, without a space, for one name (Deno 2.9).
    if (protocol !== undefined) response.headers.set("Sec-WebSocket-Protocol", protocol);
    let isRefused = false;
    watchResponse(c, () => {
      isRefused = true;
    });
    socket.binaryType = "arraybuffer";
    let link: Link | undefined;
    // Let go of when the socket is open: the listeners below live as long as the connection.
    let pending: { readonly open: Open; readonly abandon: () => void } | undefined = { open, abandon };
    const closed = (code: number, reason: string): void => {
      if (link === undefined) pending?.abandon();
      else link.onSocketGone(code, reason);
    };
    let connection: DenoConnection | undefined;
    // A throw in one of these would end the process (Deno 2.9); none of what they call throws.
    socket.onopen = () => {
      if (isRefused) {
        pending?.abandon();
        socket.close(CLOSE_CODES.forbidden.code, CLOSE_CODES.forbidden.reason);
      } else {
        connection = new DenoConnection(socket, closed);
        link = pending?.open(connection);
      }
      pending = undefined;
    };
    socket.onmessage = ({ data }) => {
      const isText = typeof data === "string";
      link?.onMessage(isText ? data : new Uint8Array(data), !isText);
    };
    socket.onerror = () => {};
    // Comes twice at times, with code 0 where no close frame came, and with 1001 where idleTimeout has ended it (Deno 2.9). Of the
    // last the client may know nothing, and come back: it counts as lost.
    socket.onclose = ({ code, reason }) => {
      connection?.letGo();
      closed(code === 0 || code === 1001 ? 1006 : code, reason);
    };
    // Deno takes any response with this status; this one has the headers that the app's middleware has set so far.
    return c.body(null, 101, Object.fromEntries(response.headers));
  };
}

/** A connection over Deno.serve, which has neither ping nor terminate nor a joined write. */
class DenoConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #closed: (code: number, reason: string) => void;
  /** What waited when the socket was closed. Deno reports nothing from then on, and keeps it until the socket is gone (Deno 2.9). */
  #leftBytes = 0;

  constructor(socket: WebSocket, closed: (code: number, reason: string) => void) {
    this.#socket = socket;
    this.#closed = closed;
  }

  write(frames: readonly Frame[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    for (const frame of frames) {
      // Nothing that reaches the core on Deno is over shared memory, and a binary frame's payload is bytes.
      this.#socket.send(frame.binary ? (frame.payload as Uint8Array<ArrayBuffer>) : frameText(frame));
    }
  }

  bufferedBytes(): number {
    return this.#socket.readyState === WebSocket.OPEN ? this.#socket.bufferedAmount : this.#leftBytes;
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState >= WebSocket.CLOSING) return;
    this.#leftBytes = this.#socket.bufferedAmount;
    this.#socket.close(code, reason);
  }

  /** The socket is gone, and what waited with it. */
  letGo(): void {
    this.#leftBytes = 0;
  }

  /** The socket stays until the client or idleTimeout ends it, and no event tells; the relay lets go of it now. */
  terminate(): void {
    this.close(1001, "");
    this.#closed(1006, "");
  }
}
