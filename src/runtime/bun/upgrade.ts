import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import { CLOSE_CODES } from "../../core/link/close-codes.ts";
import type { Connection } from "../../core/link/connection.ts";
import type { Link } from "../../core/link/link.ts";
import { type Frame, frameBytes, frameText } from "../../core/protocol/frame.ts";
import type { FetchUpgrade } from "../../http/direct.ts";
import type { Open, UpgradeWebSocket } from "../../http/runtime.ts";
import { UpgradeError } from "../../http/upgrade-error.ts";
import { collectGarbageAfterRead } from "../bun-memory.ts";
import { handshakeHeaders } from "../handshake-headers.ts";
import { watchResponse } from "../watch-response.ts";

/**
 * The environment of the app's handlers on Bun: the server, as it is or as `{ server }`. Bun passes it to `fetch` as
 * second argument.
 */
export interface BunEnv {
  Bindings: Server<BunConnection> | { readonly server: Server<BunConnection> };
}

/** Returns the server of the request; `undefined` where the app's `fetch` was called without it. */
export function serverOf(env: BunEnv["Bindings"] | undefined): Server<BunConnection> | undefined {
  // An app whose `fetch` is called without an env has no env in its contexts.
  const given = (env ?? {}) as Partial<Server<BunConnection> & { server: Server<BunConnection> }>;
  const server = given.server ?? given;
  return "upgrade" in server ? (server as Server<BunConnection>) : undefined;
}

/**
 * Upgrades a request on Bun.serve. Replaces the upgrade of `hono/bun`, which creates an event and a context for every
 * message, does not report pongs, and answers the first offered subprotocol, whether or not the relay speaks it.
 */
export const upgradeWebSocket: UpgradeWebSocket<BunEnv> = (c, open, protocol, abandon) => {
  const server = serverOf(c.env);
  if (server === undefined)
    throw new UpgradeError(`Cannot upgrade: the app was not given Bun's server; ${HOW_TO_SERVE}`);
  const response = c.body(null, 101);
  const headers = new Headers(handshakeHeaders(response.headers));
  // An empty header answers no subprotocol. Without the header, Bun 1.4 answers the first offer.
  headers.set("Sec-WebSocket-Protocol", protocol ?? "");
  const data = upgrade(server, c.req.raw, { open, abandon, headers });
  if (data === undefined) return c.body(null, 400);
  watchResponse(c, () => data.link?.startClosing(CLOSE_CODES.forbidden));
  return response;
};

/** Makes the upgrade of a request that does not pass the app. */
export function startDirectUpgrade(request: Request, env: BunEnv["Bindings"] | undefined): FetchUpgrade | undefined {
  const server = serverOf(env);
  return server && new DirectBunUpgrade(server, request);
}

class DirectBunUpgrade implements FetchUpgrade {
  readonly #server: Server<BunConnection>;
  readonly #request: Request;
  response: Response | undefined = undefined;

  constructor(server: Server<BunConnection>, request: Request) {
    this.#server = server;
    this.#request = request;
  }

  peerAddress(): string | undefined {
    return this.#server.requestIP(this.#request)?.address;
  }

  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void {
    const request = this.#request;
    const needsHeader = protocol !== undefined || request.headers.has("sec-websocket-protocol");
    // As above: an empty header answers no subprotocol.
    const headers = needsHeader ? { "Sec-WebSocket-Protocol": protocol ?? "" } : undefined;
    const data = upgrade(this.#server, request, { open, abandon, headers });
    // Bun ignores the response to a request that it has upgraded.
    this.response = data === undefined ? new Response(null, { status: 400 }) : UPGRADED;
  }
}

const UPGRADED = new Response(null);

const HOW_TO_SERVE = "serve it with { fetch: app.fetch, websocket }";

interface UpgradeOptions {
  readonly open: Open;
  readonly abandon: () => void;
  readonly headers: Bun.HeadersInit | undefined;
}

/** Upgrades the request. @returns The data of its socket; `undefined` where Bun refused, and the place is released. */
function upgrade(
  server: Server<BunConnection>,
  request: Request,
  { open, abandon, headers }: UpgradeOptions,
): BunConnection | undefined {
  const data = new BunConnection(open, abandon);
  if (!callUpgrade(server, request, headers === undefined ? { data } : { data, headers })) {
    abandon();
    return undefined;
  }
  // Bun 1.4 calls the `open` of the right websocket before `upgrade` returns.
  if (!data.hasOpened) {
    throw new UpgradeError(`Cannot upgrade: the websocket of Bun.serve is not the relay's; ${HOW_TO_SERVE}`);
  }
  return data;
}

function callUpgrade(
  server: Server<BunConnection>,
  request: Request,
  options: { readonly data: BunConnection; readonly headers?: Bun.HeadersInit },
): boolean {
  try {
    return server.upgrade(request, options);
  } catch {
    throw new UpgradeError(`Cannot upgrade: Bun.serve has no websocket; ${HOW_TO_SERVE}`);
  }
}

export interface BunWebSocketOptions {
  readonly maxMessageBytes: number;
}

/** Makes the `websocket` object for Bun.serve. */
export function createBunWebSocket(options: BunWebSocketOptions): WebSocketHandler<BunConnection> {
  return {
    maxPayloadLength: options.maxMessageBytes,
    // Bun silently drops messages over this limit. The core refuses messages long before.
    backpressureLimit: 0x7fff_ffff,
    closeOnBackpressureLimit: false,
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(ws) {
      ws.data.onOpen(ws);
    },
    message(ws, message) {
      collectGarbageAfterRead(message.length);
      ws.data.link?.onMessage(message, typeof message !== "string");
    },
    ping(ws) {
      ws.data.link?.onPong();
    },
    pong(ws) {
      ws.data.link?.onPong();
    },
    drain(ws) {
      ws.data.onDrain();
    },
    close(ws, code, reason) {
      ws.data.onClose(code === 1006 ? closeCodeFor(reason) : code, reason);
    },
  };
}

/**
 * Returns the code with which Bun closed the socket. Bun 1.4 reports 1006 when it closes a socket by itself, with a
 * reason of its own. A lost connection has no reason.
 */
function closeCodeFor(reason: string): number {
  if (reason === "") return 1006;
  if (reason.includes("too big")) return 1009;
  return reason.includes("UTF-8") ? 1007 : 1002;
}

/**
 * The frames that `sendCorked` sends. They are no argument, so that one function serves all calls: a closure for each
 * call costs time, and one for each connection costs memory.
 */
let corkedFrames: readonly Frame[] = [];

function sendCorked(ws: ServerWebSocket<BunConnection>): void {
  for (const frame of corkedFrames) send(ws, frame);
}

function send(ws: ServerWebSocket<BunConnection>, frame: Frame): void {
  if (frame.binary) ws.sendBinary(frameBytes(frame));
  else ws.sendText(frameText(frame));
}

/** A step of a socket that is not open yet. */
interface Pending {
  /** Opens the relay's end. */
  readonly open: Open;
  /** Releases the connection's place. */
  readonly abandon: () => void;
}

interface CloseFrame {
  readonly code: number;
  readonly reason: string;
}

/**
 * A connection over Bun.serve. It sends all frames of a turn within one cork.
 *
 * The connection is also the data that Bun keeps with the socket: an object of its own would cost memory per connection.
 */
export class BunConnection implements Connection {
  /** The relay's end; `undefined` until the socket is open. */
  link: Link | undefined = undefined;
  /** Cleared when the socket is open. */
  #pending: Pending | undefined;
  #ws: ServerWebSocket<BunConnection> | undefined = undefined;
  /** How the socket closed. Bun 1.4 reports a close inside `open` before `open` has returned the link. */
  #closedWith: CloseFrame | undefined = undefined;
  /** The close frame that waits until the queued bytes are sent. */
  #closing: CloseFrame | undefined = undefined;

  constructor(open: Open, abandon: () => void) {
    this.#pending = { open, abandon };
  }

  /** Whether the socket has been open. */
  get hasOpened(): boolean {
    return this.#ws !== undefined;
  }

  onOpen(ws: ServerWebSocket<BunConnection>): void {
    this.#ws = ws;
    this.link = this.#pending?.open(this);
    this.#pending = undefined;
    if (this.#closedWith !== undefined) this.link?.onSocketGone(this.#closedWith.code, this.#closedWith.reason);
  }

  onClose(code: number, reason: string): void {
    this.#closedWith = { code, reason };
    if (this.link === undefined) this.#pending?.abandon();
    else this.link.onSocketGone(code, reason);
  }

  /** The socket has sent its queued bytes. */
  onDrain(): void {
    if (this.#closing === undefined || this.bufferedBytes() > 0) return;
    const { code, reason } = this.#closing;
    this.#closing = undefined;
    this.#ws?.close(code, reason);
  }

  write(frames: readonly Frame[]): void {
    const ws = this.#ws;
    if (ws === undefined) return;
    const [frame] = frames;
    if (frames.length === 1 && frame !== undefined) {
      // A cork costs as much as sending the frame to it.
      send(ws, frame);
      return;
    }
    corkedFrames = frames;
    ws.cork(sendCorked);
    corkedFrames = [];
  }

  bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  ping(): void {
    this.#ws?.ping();
  }

  /**
   * Closes when the queued bytes are sent. When a socket is closed earlier, Bun 1.4 reports it as gone, keeps its
   * queued bytes in memory until the client goes, and can no longer terminate it.
   */
  close(code: number, reason: string): void {
    this.#closing ??= { code, reason };
    this.onDrain();
  }

  terminate(): void {
    this.#ws?.terminate();
  }
}
