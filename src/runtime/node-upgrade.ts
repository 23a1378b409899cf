import { EventEmitter } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { createNodeWebSocket } from "@hono/node-ws";
import { Hono } from "hono";
import { WebSocket } from "ws";
import type { Link } from "../core/link.ts";
import type { Open, UpgradeWebSocket } from "../http/app.ts";
import { NodeConnection } from "./node-connection.ts";

/** What the app's handlers see of a request on Node. */
export interface NodeEnv {
  Bindings: { incoming: IncomingMessage };
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
  attach(server: Server, app: Hono<NodeEnv>): void;
}

interface Pending {
  readonly socket: Socket;
  readonly open: Open;
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
  const inner = new Hono<{ Bindings: { incoming: object } }>();
  const { injectWebSocket, upgradeWebSocket, wss } = createNodeWebSocket({ app: inner });
  wss.options.maxPayload = options.maxMessageBytes;
  // An option of ws 8.19 and later that its types do not have yet.
  Object.assign(wss.options, { closeTimeout: options.closeTimeoutMs ?? 2000 });
  wss.options.WebSocket = ClosingSocket;

  const emitter = new EventEmitter({ captureRejections: true });
  emitter.on("error", () => {});
  // node-ws uses nothing of a server but its upgrade event.
  injectWebSocket(emitter as unknown as Server);

  const accepted = new WeakMap<IncomingMessage, Open>();
  const pending = new WeakMap<object, Pending>();
  inner.get("*", (c) => {
    const { incoming } = c.env;
    const found = pending.get(incoming);
    if (found === undefined) return c.notFound();
    let link: Link;
    return upgradeWebSocket(c, {
      onOpen: (_event, context) => {
        // wss.options.WebSocket makes every socket of this server one.
        const ws = context.raw as ClosingSocket;
        link = found.open(new NodeConnection(ws, found.socket));
        ws.link = link;
        ws.on("pong", () => link.pong());
        ws.on("ping", () => link.pong());
      },
      onMessage: ({ data }) =>
        link.receive(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer), typeof data !== "string"),
      onClose: ({ code, reason }) => link.closed(code, reason),
    });
  });

  async function answer(app: Hono<NodeEnv>, incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const request = toRequest(incoming);
    if (request === undefined) {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", () => socket.destroy());
      return;
    }
    const response = await app.fetch(request, { incoming });
    const open = accepted.get(incoming);
    if (open === undefined) {
      await writeResponse(socket, response);
    } else if (socket.readable && socket.writable) {
      const acceptable = {
        method: "GET",
        url: "/",
        headers: {
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": incoming.headers["sec-websocket-key"],
        },
      };
      pending.set(acceptable, { socket, open });
      emitter.emit("upgrade", acceptable, socket, head);
    } else {
      socket.destroy();
    }
  }

  return {
    upgradeWebSocket: (c, open) => {
      accepted.set(c.env.incoming, open);
      return new Response(null);
    },
    attach: (server, app) => {
      // Of node:http, the socket of an upgrade is the net.Socket of its request.
      server.on("upgrade", (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
        socket.on("error", () => socket.destroy());
        answer(app, incoming, socket, head).catch(() => socket.destroy());
      });
    },
  };
}

/**
 * Tells its link when the closing handshake begins, by whichever side: `ws` 8.23 calls `close` for a client's close frame,
 * and reports it by an event only when the socket is gone.
 */
class ClosingSocket extends WebSocket {
  link: Link | undefined = undefined;

  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    this.link?.closing(code ?? 1005, reason?.toString() ?? "");
  }
}

/** The request as the app sees it; `undefined` where its URL or its headers cannot be one. */
function toRequest(incoming: IncomingMessage): Request | undefined {
  try {
    const url = new URL(incoming.url ?? "/", `http://${incoming.headers.host ?? "localhost"}`);
    const headers = new Headers();
    for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
      headers.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
    }
    return new Request(url, { method: incoming.method ?? "GET", headers });
  } catch {
    return undefined;
  }
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
