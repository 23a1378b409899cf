import { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { createNodeWebSocket } from "@hono/node-ws";
import type { Context, Hono } from "hono";
import { WebSocket } from "ws";
import type { Link } from "../core/link.ts";
import type { Open, UpgradeWebSocket } from "../http/app.ts";
import { NodeConnection } from "./node-connection.ts";
import { Intake } from "./node-intake.ts";

/** What the app's handlers see of a request on Node. */
export interface NodeEnv {
  Bindings: { incoming: IncomingMessage };
}

/** A Hono app, or whatever else answers requests as one does. */
export interface NodeApp {
  fetch(request: Request, env: NodeEnv["Bindings"]): Response | Promise<Response>;
}

/** What `attach` uses of a server: node:http's, node:https's, or what `serve` of `@hono/node-server` returns. */
export interface UpgradeServer {
  on(event: "upgrade", listener: (incoming: IncomingMessage, socket: Socket, head: Buffer) => void): unknown;
}

export interface NodeUpgradeOptions {
  /** A longer message closes its connection with 1009, before it is read whole. */
  readonly maxMessageBytes: number;
  /** Milliseconds that a client has to answer a close that `ws` itself began. Default: 2000. */
  readonly closeTimeoutMs?: number;
}

/** The upgrade for node:http. */
export interface NodeUpgrade {
  readonly upgradeWebSocket: UpgradeWebSocket<NodeEnv>;
  /** Has the server's upgrade requests answered by the app, which uses `upgradeWebSocket` on some. */
  attach(server: UpgradeServer, app: NodeApp): void;
}

const isBun = "bun" in process.versions;

/**
 * A pong that nobody asked for (RFC 6455 §5.5.3), as if the client had sent it with its handshake. With it Bun 1.4's `ws` reads and writes the
 * socket as a stream, in order with what is written past it. Without, it takes the socket to itself: a pong or a close frame then
 * falls into the middle of a frame of ours that is not all written, and nothing tells of a client's close frame.
 */
const UNASKED_PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** A request that `ws` cannot refuse, in place of one that the app has accepted. */
interface Acceptable {
  readonly method: "GET";
  readonly url: "/";
  readonly headers: Record<string, string | undefined>;
  readonly socket: Socket;
  readonly open: Open;
}

interface Accepted {
  readonly open: Open;
  readonly abandon: () => void;
  readonly protocol: string | undefined;
}

/**
 * All that knows `@hono/node-ws`, and the guard around it.
 *
 * node-ws 1.3.1 ends or exhausts the process on what a stranger may send: a URL that does not parse, a reset while the
 * upgrade waits, a handshake that `ws` refuses. So it never sees the server. The app decides first, on the real request;
 * only what it accepted, on a socket that is still open, goes to node-ws, as a request that `ws` cannot refuse, and
 * nothing waits in between. An answer that is not an upgrade is written here, with its headers and its body.
 */
export function createNodeUpgrade(options: NodeUpgradeOptions): NodeUpgrade {
  /** All of an app that node-ws asks for, and all of a context: what comes here has been decided on. */
  const acceptAll = {
    request(_url: URL, _init: unknown, env: { incoming: Acceptable }): Response | Promise<Response> {
      const { socket, open } = env.incoming;
      // node-ws 1.3.1 reads no more of it than this.
      const context = { env, req: { url: "http://localhost/", header: () => "websocket" } } as unknown as Context;
      return upgradeWebSocket(context, {
        onOpen: (_event, { raw }) => {
          // wss.options.WebSocket makes every socket of this server one.
          const ws = raw as RelaySocket;
          ws.link = open(new NodeConnection(ws, socket, new Intake(ws, socket)));
          ws.clients = wss.clients;
          if (isBun) socket.once("finish", () => ws.answeredClose());
        },
      });
    },
  };
  const { injectWebSocket, upgradeWebSocket, wss } = createNodeWebSocket({ app: acceptAll as unknown as Hono });
  wss.options.maxPayload = options.maxMessageBytes;
  // An option of ws 8.19 and later that its types do not have yet.
  Object.assign(wss.options, { closeTimeout: options.closeTimeoutMs ?? 2000 });
  // ws 8.23 drops a client with more than 60 pings in one piece; RelaySocket answers them. Bun 1.4's ws
  // drops nobody for it, but keeps a pong for each, however many wait.
  wss.options.autoPong = false;
  wss.options.WebSocket = RelaySocket;

  const emitter = new EventEmitter({ captureRejections: true });
  emitter.on("error", () => {});
  // node-ws uses nothing of a server but its upgrade event.
  injectWebSocket(emitter as unknown as Server);

  const accepted = new WeakMap<IncomingMessage, Accepted>();
  async function answer(app: NodeApp, incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const request = toRequest(incoming);
    if (request === undefined) {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", () => socket.destroy());
      return;
    }
    const response = await app.fetch(request, { incoming });
    const upgrade = accepted.get(incoming);
    accepted.delete(incoming);
    if (upgrade === undefined) {
      await writeResponse(socket, response);
    } else if (socket.readable && socket.writable) {
      const acceptable: Acceptable = {
        method: "GET",
        url: "/",
        headers: {
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": incoming.headers["sec-websocket-key"],
          "sec-websocket-protocol": upgrade.protocol,
        },
        socket,
        open: upgrade.open,
      };
      emitter.emit("upgrade", acceptable, socket, head.length === 0 && isBun ? UNASKED_PONG : head);
    } else {
      upgrade.abandon();
      socket.destroy();
    }
  }

  return {
    upgradeWebSocket: (c, open, protocol, abandon) => {
      accepted.set(c.env.incoming, { open, abandon, protocol });
      return new Response(null);
    },
    attach: (server, app) => {
      // Of node:http, the socket of an upgrade is the net.Socket of its request.
      server.on("upgrade", (incoming, socket, head) => {
        socket.on("error", ignore);
        answer(app, incoming, socket, head).catch(() => socket.destroy());
      });
    },
  };
}

/**
 * A socket of `ws` that reports to its link, and takes no listeners. Those of node-ws make an event of every message, decode every
 * text, copy every byte, and keep the request with all that Hono made of it for as long as the connection lasts.
 */
class RelaySocket extends WebSocket {
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
        link?.receive(data as Buffer, detail === true);
        return true;
      case "ping":
        this.#answer(data as Buffer);
        link?.pong();
        return true;
      case "pong":
        link?.pong();
        return true;
      case "error":
        // Only what came from the client and breaks the protocol is an error here. Bun's ws reports 1006 for it when it is gone.
        if (data instanceof Error) link?.closing(codeBehind(data), data.message);
        return true;
      case "close":
        this.clients?.delete(this);
        link?.closed(Number(data), String(detail));
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
    this.link?.closing(code, "");
  }

  /** `ws` 8.23 calls this for a client's close frame too, and reports it by an event only when the socket is gone. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.link?.closing(code ?? 1005, reason?.toString() ?? "");
  }
}

/** The code with which a socket is closed on which this went wrong (RFC 6455 §7.4.1). */
function codeBehind({ message }: Error): number {
  if (message.startsWith("Max payload size exceeded")) return 1009;
  if (message.includes("UTF-8")) return 1007;
  return message.startsWith("Invalid WebSocket frame") ? 1002 : 1006;
}

/** Where nothing is answered. */
const NO_RESPONSE = { on: ignore } as unknown as ServerResponse;

/** What goes wrong on a socket ends in its close event. */
function ignore(): void {}

/**
 * The request as the app sees it; `undefined` where its URL cannot be one.
 *
 * It is made as `@hono/node-server` makes those of the app's other routes: what nobody asks for is never made. A Request of Node's own, with its
 * AbortSignal, here and again in node-ws, cost a sixth of a connection's CPU.
 */
function toRequest({ method, url, headers, rawHeaders, socket }: IncomingMessage): Request | undefined {
  const host = headers.host?.toLowerCase() ?? "localhost";
  let request: Request | undefined;
  const listener = getRequestListener(
    (made) => {
      request = made;
      return RESPONSE_ALREADY_SENT;
    },
    { overrideGlobalObjects: false, autoCleanupIncoming: false, errorHandler: ignore },
  );
  // Of Node's request and its response this is all that the listener uses until it has made the other one.
  listener({ method, url, headers: { host }, rawHeaders, socket } as unknown as IncomingMessage, NO_RESPONSE);
  return request;
}

async function writeResponse(socket: Socket, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const lines = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`];
  for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
  lines.push("Connection: close", `Content-Length: ${body.length}`, "", "");
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), body]), () => socket.destroy());
}
