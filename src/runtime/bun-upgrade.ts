import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type { Connection } from "../core/connection.ts";
import { type Frame, frameText } from "../core/frame.ts";
import type { Link } from "../core/link.ts";
import type { Open, UpgradeWebSocket } from "../http/app.ts";
import { collectInTime } from "./bun-memory.ts";

/** What Bun keeps with each socket: what to call when it is open, from then on its link. */
export interface BunSocketData {
  open: Open | undefined;
  abandon: (() => void) | undefined;
  link: Link | undefined;
  /** How it closed before its link was known: Bun 1.4 reports a close inside `open` before `open` has returned. */
  closed: Closed | undefined;
}

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What the app's handlers see of a request on Bun: `app.fetch(request, { server })`. */
export interface BunEnv {
  Bindings: { server: Server<BunSocketData> };
}

/**
 * The upgrade for Bun.serve. Not `hono/bun`'s: that makes an event and a context for every message, has no pong, and
 * echoes whatever subprotocol was offered first.
 */
export const upgradeWebSocket: UpgradeWebSocket<BunEnv> = (c, open, protocol, abandon) => {
  const upgraded = c.env.server.upgrade(c.req.raw, {
    data: { open, abandon, link: undefined, closed: undefined },
    // Empty, it answers none; without it, Bun 1.4 answers the first offer, whatever that is.
    headers: { "Sec-WebSocket-Protocol": protocol ?? "" },
  });
  if (!upgraded) abandon();
  return new Response(null, { status: upgraded ? 200 : 400 });
};

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
      if (data.closed !== undefined) data.link?.closed(data.closed.code, data.closed.reason);
    },
    message(ws, message) {
      collectInTime(message.length);
      ws.data.link?.receive(message, typeof message !== "string");
    },
    ping(ws) {
      ws.data.link?.pong();
    },
    pong(ws) {
      ws.data.link?.pong();
    },
    close(ws, code, reason) {
      const { data } = ws;
      data.closed = { code: code === 1006 ? codeBehind(reason) : code, reason };
      if (data.link === undefined) data.abandon?.();
      else data.link.closed(data.closed.code, data.closed.reason);
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

  bufferedBytes(): number {
    return this.#ws.getBufferedAmount();
  }

  ping(): void {
    this.#ws.ping();
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#ws.terminate();
  }
}
