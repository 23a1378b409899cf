import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type { Context } from "hono";
import { CLOSE_CODES } from "../../core/link/close-codes.ts";
import type { Connection } from "../../core/link/connection.ts";
import type { Link } from "../../core/link/link.ts";
import { type Frame, frameText } from "../../core/protocol/frame.ts";
import type { Open, UpgradeWebSocket } from "../../http/runtime.ts";
import { UpgradeError } from "../../http/upgrade-error.ts";
import { collectInTime } from "../bun-memory.ts";
import { handshakeHeaders } from "../handshake-headers.ts";
import { watchResponse } from "../watch-response.ts";

/** What Bun keeps with each socket: what to call when it is open, from then on its link. */
export interface BunSocketData {
  open: Open | undefined;
  abandon: (() => void) | undefined;
  link: Link | undefined;
  /** How it closed before its link was known: Bun 1.4 reports a close inside `open` before `open` has returned. */
  closed: Closed | undefined;
  /** Called when all that the socket had to wait with has been sent, where somebody waits for that. */
  drained: (() => void) | undefined;
}

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What the app's handlers see of a request on Bun: its server, which Bun hands to `fetch` as a second argument, as it is or as `{ server }`. */
export interface BunEnv {
  Bindings: Server<BunSocketData> | { readonly server: Server<BunSocketData> };
}

/** The server of the request; `undefined` where the app was not given it. */
export function serverOf({ env }: Context<BunEnv>): Server<BunSocketData> | undefined {
  // An app that is called without its env has none.
  const given = (env ?? {}) as Partial<Server<BunSocketData> & { server: Server<BunSocketData> }>;
  const server = given.server ?? given;
  return "upgrade" in server ? (server as Server<BunSocketData>) : undefined;
}

/**
 * The upgrade for Bun.serve. Not `hono/bun`'s: that makes an event and a context for every message, has no pong, and
 * echoes whatever subprotocol was offered first.
 */
export const upgradeWebSocket: UpgradeWebSocket<BunEnv> = (c, open, protocol, abandon) => {
  const server = serverOf(c);
  if (server === undefined)
    throw new UpgradeError(`Cannot upgrade: the app was not given Bun's server; ${HOW_TO_SERVE}`);
  const response = c.body(null, 101);
  const headers = new Headers(handshakeHeaders(response.headers));
  // Empty, it answers none; without it, Bun 1.4 answers the first offer, whatever that is.
  headers.set("Sec-WebSocket-Protocol", protocol ?? "");
  const data: BunSocketData = { open, abandon, link: undefined, closed: undefined, drained: undefined };
  if (!upgrade(server, c.req.raw, { data, headers })) {
    abandon();
    return c.body(null, 400);
  }
  // Bun 1.4 calls `open` before `upgrade` has returned.
  if (data.open !== undefined) {
    throw new UpgradeError(`Cannot upgrade: the websocket of Bun.serve is not the relay's; ${HOW_TO_SERVE}`);
  }
  watchResponse(c, () => data.link?.startClosing(CLOSE_CODES.forbidden));
  return response;
};

const HOW_TO_SERVE = "serve it with { fetch: app.fetch, websocket }";

function upgrade(server: Server<BunSocketData>, request: Request, options: UpgradeOptions): boolean {
  try {
    return server.upgrade(request, options);
  } catch {
    throw new UpgradeError(`Cannot upgrade: Bun.serve has no websocket; ${HOW_TO_SERVE}`);
  }
}

interface UpgradeOptions {
  readonly data: BunSocketData;
  readonly headers: Headers;
}

export interface BunWebSocketOptions {
  readonly maxMessageBytes: number;
}

/** The `websocket` object for Bun.serve. */
export function createBunWebSocket(options: BunWebSocketOptions): WebSocketHandler<BunSocketData> {
  return {
    maxPayloadLength: options.maxMessageBytes,
    // Bun drops silently what goes over this; the core refuses long before.
    backpressureLimit: 0x7fff_ffff,
    closeOnBackpressureLimit: false,
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(ws) {
      const { data } = ws;
      data.link = data.open?.(new BunConnection(ws));
      data.open = data.abandon = undefined;
      if (data.closed !== undefined) data.link?.onSocketGone(data.closed.code, data.closed.reason);
    },
    message(ws, message) {
      collectInTime(message.length);
      ws.data.link?.onMessage(message, typeof message !== "string");
    },
    ping(ws) {
      ws.data.link?.onPong();
    },
    pong(ws) {
      ws.data.link?.onPong();
    },
    drain(ws) {
      ws.data.drained?.();
    },
    close(ws, code, reason) {
      const { data } = ws;
      data.closed = { code: code === 1006 ? codeBehind(reason) : code, reason };
      if (data.link === undefined) data.abandon?.();
      else data.link.onSocketGone(data.closed.code, data.closed.reason);
    },
  };
}

/**
 * The code that Bun closed with by itself. Bun 1.4 reports 1006 for it, with a reason of its own; a connection that was lost
 * has none.
 */
function codeBehind(reason: string): number {
  if (reason === "") return 1006;
  if (reason.includes("too big")) return 1009;
  return reason.includes("UTF-8") ? 1007 : 1002;
}

/** What `send` sends: a function for all, as one for each call or for each connection costs time or memory. */
let corked: readonly Frame[] = [];

function send(ws: ServerWebSocket<BunSocketData>): void {
  for (const frame of corked) {
    // A binary frame's payload is bytes.
    if (frame.binary) ws.sendBinary(frame.payload as Uint8Array);
    else ws.sendText(frameText(frame));
  }
}

/** A connection over Bun.serve: the frames of a turn go out within one cork. */
class BunConnection implements Connection {
  readonly #ws: ServerWebSocket<BunSocketData>;

  constructor(ws: ServerWebSocket<BunSocketData>) {
    this.#ws = ws;
  }

  write(frames: readonly Frame[]): void {
    corked = frames;
    this.#ws.cork(send);
    corked = [];
  }

  /** 0 once the socket is gone. */
  bufferedBytes(): number {
    return this.#ws.getBufferedAmount();
  }

  ping(): void {
    this.#ws.ping();
  }

  /**
   * Waits until all before the close frame is sent: Bun 1.4 reports a socket that is closed before as gone, keeps what waits for it in memory
   * until its client goes, and cannot drop it any more.
   */
  close(code: number, reason: string): void {
    const close = (): void => {
      if (this.#ws.getBufferedAmount() > 0) return;
      this.#ws.data.drained = undefined;
      this.#ws.close(code, reason);
    };
    this.#ws.data.drained ??= close;
    close();
  }

  terminate(): void {
    this.#ws.terminate();
  }
}
