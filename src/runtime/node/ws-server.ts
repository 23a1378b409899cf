import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import process from "node:process";
import { createNodeWebSocket } from "@hono/node-ws";
import type { Context, Hono } from "hono";
import type { Open } from "../../http/runtime.ts";
import { ClientSocket, type SocketContext, type WsReading } from "./client-socket.ts";
import { RelaySocket } from "./socket.ts";

/** A handshake that the app has accepted. */
export interface AcceptedHandshake {
  /** The open socket of the request. */
  readonly socket: Socket;
  /** Bytes that the client sent right after its handshake. */
  readonly head: Buffer;
  /** The client's `Sec-WebSocket-Key`. */
  readonly key: string | undefined;
  /** The subprotocol to answer. */
  readonly protocol: string | undefined;
  /** Headers of the app for the response. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Called when the WebSocket is open. */
  readonly open: Open;
}

/** A handshake that the relay has accepted without the app. */
export type DirectlyAccepted = Omit<AcceptedHandshake, "headers">;

/** Upgrades accepted handshakes. */
export interface WsServer {
  /** Upgrades a handshake that the app has accepted. */
  accept(handshake: AcceptedHandshake): void;
  /** Upgrades a handshake that did not pass the app: the relay answers it itself, without node-ws and `ws`. */
  acceptDirectly(handshake: DirectlyAccepted): void;
}

export interface WsServerOptions {
  /** Largest message, in bytes. A larger one closes its connection with 1009, before it is read whole. */
  readonly maxMessageBytes: number;
  /** Time that a client has to answer a close before `ws` drops its socket, in milliseconds. */
  readonly closeTimeoutMs: number;
}

const isBun = "bun" in process.versions;

/**
 * An unsolicited pong (RFC 6455 §5.5.3), added to the bytes that the client sent with its handshake. It makes the `ws`
 * of Bun 1.4 read and write the socket as a stream, in order with the frames that the relay writes past `ws`. Without
 * it, `ws` uses the socket directly: its pongs and close frames may land inside a frame that is only partly written,
 * and a client's close frame is not reported.
 */
const UNSOLICITED_PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

const NO_BYTES = Buffer.alloc(0);

/** A key for a handshake whose response nobody gets (RFC 6455 §4.1). */
const ANY_KEY = "AAAAAAAAAAAAAAAAAAAAAA==";

/** A request that `ws` accepts in any case. It stands in for the client's request, which the relay has accepted. */
interface StandInRequest {
  readonly method: "GET";
  readonly url: "/";
  readonly headers: Record<string, string | undefined>;
  readonly socket: Socket;
  /** Header lines to add to the response. */
  readonly headerLines: readonly string[];
}

/** A request for node-ws. */
interface NodeWsRequest extends StandInRequest {
  readonly open: Open;
}

/**
 * Makes a WebSocket server of `@hono/node-ws` that listens to no HTTP server. All code that depends on `@hono/node-ws`
 * is in this file.
 *
 * node-ws listens to a server's upgrade events, asks a Hono app about each request, and has `ws` upgrade the accepted
 * ones. Here the server is a bare event emitter, and the app accepts every request, because `upgrade.ts` has asked the
 * real app before.
 */
export function createWsServer(options: WsServerOptions): WsServer {
  const context: SocketContext = {
    maxMessageBytes: options.maxMessageBytes,
    startWs: (socket) => {
      let started: WsReading | undefined;
      const head = isBun ? UNSOLICITED_PONG : NO_BYTES;
      // `ws` begins with the response to a handshake, which the client has got already.
      Object.defineProperty(socket, "write", { value: () => true, configurable: true });
      // `ws` uses only the properties that a StandInRequest has, and its sockets are RelaySockets, as below.
      wss.handleUpgrade(standInFor(socket, ANY_KEY) as unknown as IncomingMessage, socket, head, (ws) => {
        started = takeReading(ws as RelaySocket, socket);
      });
      Reflect.deleteProperty(socket, "write");
      // The pong is not the client's, and the next byte may be in the middle of a frame.
      if (started !== undefined && head.length > 0) socket.read(head.length);
      return started;
    },
  };
  /** Takes from `ws` the reading of a socket. */
  const takeReading = (ws: RelaySocket, socket: Socket): WsReading => {
    const listener = socket.listeners("data").at(-1);
    if (listener === undefined) throw new Error("Cannot read frames: ws does not read the socket yet");
    socket.off("data", listener as () => void);
    ws.clients = wss.clients;
    if (isBun) socket.once("finish", () => ws.reportAnsweredClose());
    return { ws, listener: listener as WsReading["listener"] };
  };
  /** The part of a Hono app that node-ws calls. */
  const acceptingApp = {
    request(_url: URL, _init: unknown, env: { incoming: NodeWsRequest }): Response | Promise<Response> {
      const { incoming } = env;
      // The part of a context that node-ws 1.3.1 reads.
      const honoContext = { env, req: { url: "http://localhost/", header: () => "websocket" } } as unknown as Context;
      return upgradeWebSocket(honoContext, {
        onOpen: (_event, { raw }) => {
          // Every socket of this server is a RelaySocket, because of wss.options.WebSocket below.
          const { socket, open } = incoming;
          new ClientSocket(socket, context).open(takeReading(raw as RelaySocket, socket), open);
        },
      });
    },
  };
  const { injectWebSocket, upgradeWebSocket, wss } = createNodeWebSocket({ app: acceptingApp as unknown as Hono });
  wss.options.maxPayload = options.maxMessageBytes;
  // An option of ws 8.19 and later that its types do not have yet.
  Object.assign(wss.options, { closeTimeout: options.closeTimeoutMs });
  // RelaySocket answers pings itself. ws 8.23 drops a client that sends more than 60 pings in one piece, and the ws of
  // Bun 1.4 queues a pong for each ping, without a bound.
  wss.options.autoPong = false;
  wss.options.WebSocket = RelaySocket;
  // Every request of this server is a StandInRequest.
  wss.on("headers", (lines, request) => lines.push(...(request as unknown as StandInRequest).headerLines));

  const emitter = new EventEmitter({ captureRejections: true });
  emitter.on("error", () => {});
  // node-ws uses only the upgrade event of the server that it is given.
  injectWebSocket(emitter as unknown as Server);

  return {
    accept: ({ socket, head, key, protocol, headers, open }) => {
      const headerLines = headers.map(([name, value]) => `${name}: ${value}`);
      const request: NodeWsRequest = { ...standInFor(socket, key, protocol, headerLines), open };
      emitter.emit("upgrade", request, socket, head.length === 0 && isBun ? UNSOLICITED_PONG : head);
    },
    acceptDirectly: ({ socket, head, key, protocol, open }) => {
      new ClientSocket(socket, context).answer(handshakeResponse(key, protocol), head, open);
    },
  };
}

function standInFor(
  socket: Socket,
  key: string | undefined,
  protocol?: string,
  headerLines: readonly string[] = [],
): StandInRequest {
  return {
    method: "GET",
    url: "/",
    headers: {
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": key,
      "sec-websocket-protocol": protocol,
    },
    socket,
    headerLines,
  };
}

/** Returns the response to a handshake (RFC 6455 §4.2.2), as `ws` writes it. */
function handshakeResponse(key = "", protocol?: string): string {
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const start = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  const end = protocol === undefined ? "\r\n" : `Sec-WebSocket-Protocol: ${protocol}\r\n\r\n`;
  return `${start}Sec-WebSocket-Accept: ${accept}\r\n${end}`;
}
