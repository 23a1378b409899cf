import { EventEmitter } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import process from "node:process";
import { createNodeWebSocket } from "@hono/node-ws";
import type { Context, Hono } from "hono";
import type { Open } from "../../http/runtime.ts";
import { NodeConnection } from "./connection.ts";
import { FairReader } from "./fair-reader.ts";
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

/** Upgrades accepted handshakes. */
export interface WsServer {
  /** Upgrades a handshake that the app has accepted. */
  accept(handshake: AcceptedHandshake): void;
  /** Upgrades a handshake that did not pass the app: `ws` gets it without node-ws, whose events the relay ignores. */
  acceptDirectly(handshake: AcceptedHandshake): void;
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

/** A request that `ws` accepts in any case. It stands in for the client's request, which the app has accepted. */
interface StandInRequest {
  readonly method: "GET";
  readonly url: "/";
  readonly headers: Record<string, string | undefined>;
  readonly socket: Socket;
  readonly open: Open;
  /** Header lines to add to the response. */
  readonly headerLines: readonly string[];
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
  const openLink = (ws: RelaySocket, { socket, open }: StandInRequest): void => {
    ws.link = open(new NodeConnection(ws, socket, new FairReader(ws, socket, options.maxMessageBytes)));
    ws.clients = wss.clients;
    if (isBun) socket.once("finish", () => ws.reportAnsweredClose());
  };
  /** The part of a Hono app that node-ws calls. */
  const acceptingApp = {
    request(_url: URL, _init: unknown, env: { incoming: StandInRequest }): Response | Promise<Response> {
      const { incoming } = env;
      // The part of a context that node-ws 1.3.1 reads.
      const context = { env, req: { url: "http://localhost/", header: () => "websocket" } } as unknown as Context;
      return upgradeWebSocket(context, {
        onOpen: (_event, { raw }) => {
          // Every socket of this server is a RelaySocket, because of wss.options.WebSocket below.
          openLink(raw as RelaySocket, incoming);
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
    accept: (handshake) => {
      emitter.emit("upgrade", standInFor(handshake), handshake.socket, headOf(handshake));
    },
    acceptDirectly: (handshake) => {
      const request = standInFor(handshake);
      // `ws` uses only the properties that a StandInRequest has, and its sockets are RelaySockets, as above.
      wss.handleUpgrade(request as unknown as IncomingMessage, handshake.socket, headOf(handshake), (ws) =>
        openLink(ws as RelaySocket, request),
      );
    },
  };
}

function standInFor({ socket, key, protocol, headers, open }: AcceptedHandshake): StandInRequest {
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
    open,
    headerLines: headers.map(([name, value]) => `${name}: ${value}`),
  };
}

function headOf({ head }: AcceptedHandshake): Buffer {
  return head.length === 0 && isBun ? UNSOLICITED_PONG : head;
}
