import { CLOSE_CODES } from "../../core/link/close-codes.ts";
import type { Connection } from "../../core/link/connection.ts";
import type { Link } from "../../core/link/link.ts";
import { type Frame, frameBytes, frameText } from "../../core/protocol/frame.ts";
import type { FetchUpgrade } from "../../http/direct.ts";
import type { Open, UpgradeWebSocket } from "../../http/runtime.ts";
import { watchResponse } from "../watch-response.ts";

/**
 * The environment of the app's handlers on Deno: the information on the connection that Deno passes to `fetch` as
 * second argument.
 */
export interface DenoEnv {
  Bindings: { readonly remoteAddr?: Deno.Addr };
}

export interface DenoUpgradeOptions {
  /** Seconds of silence after which Deno closes a connection by itself. Deno pings after half of that time. */
  readonly idleTimeoutSeconds: number;
}

/** The upgrades of one relay for Deno.serve. */
export interface DenoUpgrade {
  readonly upgradeWebSocket: UpgradeWebSocket<DenoEnv>;
  /** Makes the upgrade of a request that does not pass the app. */
  startDirectUpgrade(request: Request, env: DenoEnv["Bindings"] | undefined): FetchUpgrade;
}

/** Returns the address at the other end of the request's socket. */
export function peerAddressOf(env: DenoEnv["Bindings"] | undefined): string | undefined {
  const address = env?.remoteAddr;
  return address !== undefined && "hostname" in address ? address.hostname : undefined;
}

/**
 * Makes the upgrade for Deno.serve. Replaces the upgrade of `hono/deno`, which answers subprotocols that the relay does
 * not speak, and does not recognize `Upgrade: WebSocket` with capitals.
 */
export function createDenoUpgrade(options: DenoUpgradeOptions): DenoUpgrade {
  const upgrade = (request: Request, protocol: string | undefined): Deno.WebSocketUpgrade => {
    const upgraded = Deno.upgradeWebSocket(request, { idleTimeout: options.idleTimeoutSeconds });
    // Set here instead of with the option `protocol` of Deno.upgradeWebSocket, for which Deno 2.9 takes the offer
    // `a,b`, without a space, for one name.
    if (protocol !== undefined) upgraded.response.headers.set("Sec-WebSocket-Protocol", protocol);
    return upgraded;
  };
  return {
    upgradeWebSocket: (c, open, protocol, abandon) => {
      const { socket, response } = upgrade(c.req.raw, protocol);
      let isRefused = false;
      watchResponse(c, () => {
        isRefused = true;
      });
      listen(socket, open, abandon, () => isRefused);
      // Deno accepts any response with this status. This one has the headers that the app's middleware has set so far.
      return c.body(null, 101, Object.fromEntries(response.headers));
    },
    startDirectUpgrade: (request, env) => new DirectDenoUpgrade(request, env, upgrade),
  };
}

class DirectDenoUpgrade implements FetchUpgrade {
  readonly #request: Request;
  readonly #env: DenoEnv["Bindings"] | undefined;
  readonly #upgrade: (request: Request, protocol: string | undefined) => Deno.WebSocketUpgrade;
  response: Response | undefined = undefined;

  constructor(
    request: Request,
    env: DenoEnv["Bindings"] | undefined,
    upgrade: (request: Request, protocol: string | undefined) => Deno.WebSocketUpgrade,
  ) {
    this.#request = request;
    this.#env = env;
    this.#upgrade = upgrade;
  }

  peerAddress(): string | undefined {
    return peerAddressOf(this.#env);
  }

  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void {
    const { socket, response } = this.#upgrade(this.#request, protocol);
    listen(socket, open, abandon, () => false);
    this.response = response;
  }
}

/**
 * Has the relay receive the socket's events.
 *
 * @param isRefused Whether the app replaced the response. The socket is then closed when it is open.
 */
function listen(socket: WebSocket, open: Open, abandon: () => void, isRefused: () => boolean): void {
  socket.binaryType = "arraybuffer";
  let link: Link | undefined;
  // Cleared when the socket is open, because the listeners below live as long as the connection.
  let pending: { readonly open: Open; readonly abandon: () => void; isRefused(): boolean } | undefined = {
    open,
    abandon,
    isRefused,
  };
  const reportClose = (code: number, reason: string): void => {
    if (link === undefined) pending?.abandon();
    else link.onSocketGone(code, reason);
  };
  let connection: DenoConnection | undefined;
  // An error thrown by one of these listeners would end the process (Deno 2.9). The functions that they call do not
  // throw.
  socket.onopen = () => {
    if (pending?.isRefused() === true) {
      pending?.abandon();
      socket.close(CLOSE_CODES.forbidden.code, CLOSE_CODES.forbidden.reason);
    } else {
      connection = new DenoConnection(socket, reportClose);
      link = pending?.open(connection);
    }
    pending = undefined;
  };
  socket.onmessage = ({ data }) => {
    const isText = typeof data === "string";
    link?.onMessage(isText ? data : new Uint8Array(data), !isText);
  };
  socket.onerror = () => {};
  // Deno 2.9 sometimes emits this event twice. Its code is 0 where no close frame came, and 1001 after idleTimeout.
  // Both codes count as a lost connection: the client may not know of the end, and may return to its session.
  socket.onclose = ({ code, reason }) => {
    connection?.onSocketGone();
    reportClose(code === 0 || code === 1001 ? 1006 : code, reason);
  };
}

/** A connection over Deno.serve, whose sockets cannot ping, be terminated, or join writes. */
class DenoConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #reportClose: (code: number, reason: string) => void;
  /**
   * Bytes that were queued when `close` was called. Deno 2.9 keeps them until the socket is gone, but reports them no
   * longer.
   */
  #bytesAtClose = 0;

  constructor(socket: WebSocket, reportClose: (code: number, reason: string) => void) {
    this.#socket = socket;
    this.#reportClose = reportClose;
  }

  write(frames: readonly Frame[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    for (const frame of frames) {
      this.#socket.send(frame.binary ? frameBytes(frame) : frameText(frame));
    }
  }

  bufferedBytes(): number {
    return this.#socket.readyState === WebSocket.OPEN ? this.#socket.bufferedAmount : this.#bytesAtClose;
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState >= WebSocket.CLOSING) return;
    this.#bytesAtClose = this.#socket.bufferedAmount;
    this.#socket.close(code, reason);
  }

  /** To be called when the socket is gone. Its queued bytes are freed then. */
  onSocketGone(): void {
    this.#bytesAtClose = 0;
  }

  /**
   * Closes the socket, and reports its end at once. Deno keeps the socket until the client or idleTimeout ends it, and
   * may emit no event then.
   */
  terminate(): void {
    this.close(1001, "");
    this.#reportClose(1006, "");
  }
}
