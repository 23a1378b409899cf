import { EventEmitter } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { createNodeWebSocket } from "@hono/node-ws";
import type { Context, Hono } from "hono";
import type { Open, UpgradeWebSocket } from "../../http/runtime.ts";
import { UpgradeError } from "../../http/upgrade-error.ts";
import { handshakeHeaders } from "../handshake-headers.ts";
import { NodeConnection } from "./connection.ts";
import { whenAnswered } from "./hand-back.ts";
import { Intake } from "./intake.ts";
import { ignore, writeResponse } from "./request.ts";
import { RelaySocket } from "./socket.ts";

/** What the app's handlers see of a request on Node. */
export interface NodeEnv {
  Bindings: { incoming: IncomingMessage };
}

/** A handshake that goes to the app. */
export interface NodeHandshake {
  readonly incoming: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  /** The app's answer. */
  fetch(env: NodeEnv["Bindings"]): Response | Promise<Response>;
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
  /** Upgrades what the app answers with `upgradeWebSocket`, and writes its other answers. Never throws. */
  answer(handshake: NodeHandshake): void;
}

const isBun = "bun" in process.versions;

/**
 * A pong that nobody asked for (RFC 6455 §5.5.3), as if the client had sent it with its handshake. With it Bun 1.4's `ws` reads and writes the
 * socket as a stream, in order with what is written past it. Without, it takes the socket to itself: a pong or a close frame then
 * falls into the middle of a frame of ours that is not all written, and nothing tells of a client's close frame.
 */
const UNASKED_PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/**
 * Status of the response that stands for an upgrade while it goes back through the app's middleware: a Response cannot have 101 on Node, and
 * nobody refuses with this one.
 */
const UPGRADED = 204;

/** A request that `ws` cannot refuse, in place of one that the app has accepted. */
interface Acceptable {
  readonly method: "GET";
  readonly url: "/";
  readonly headers: Record<string, string | undefined>;
  readonly socket: Socket;
  readonly open: Open;
  /** Lines for the answer's head. */
  readonly answerHeaders: readonly string[];
}

interface Accepted {
  readonly open: Open;
  readonly abandon: () => void;
  readonly protocol: string | undefined;
}

/** A handshake that the app is answering. */
interface Answering {
  accepted: Accepted | undefined;
  isOver: boolean;
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
  // Every request that comes to this `ws` is one of ours.
  wss.on("headers", (lines, request) => lines.push(...(request as unknown as Acceptable).answerHeaders));

  const emitter = new EventEmitter({ captureRejections: true });
  emitter.on("error", () => {});
  // node-ws uses nothing of a server but its upgrade event.
  injectWebSocket(emitter as unknown as Server);

  const answers = new WeakMap<IncomingMessage, Answering>();
  async function answer({ incoming, socket, head, fetch }: NodeHandshake): Promise<void> {
    const answering: Answering = { accepted: undefined, isOver: false };
    answers.set(incoming, answering);
    const response = await respond(() => fetch({ incoming }));
    answering.isOver = true;
    const { accepted } = answering;
    if (accepted === undefined || response.status !== UPGRADED || response.body !== null) {
      accepted?.abandon();
      writeResponse(incoming, socket, response);
    } else if (socket.readable && socket.writable) {
      const acceptable: Acceptable = {
        method: "GET",
        url: "/",
        headers: {
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": incoming.headers["sec-websocket-key"],
          "sec-websocket-protocol": accepted.protocol,
        },
        socket,
        open: accepted.open,
        answerHeaders: handshakeHeaders(response.headers).map(([name, value]) => `${name}: ${value}`),
      };
      emitter.emit("upgrade", acceptable, socket, head.length === 0 && isBun ? UNASKED_PONG : head);
    } else {
      accepted.abandon();
      socket.destroy();
    }
  }

  return {
    upgradeWebSocket: (c, open, protocol, abandon) => {
      // An app that is called without its env has none.
      const { incoming } = (c.env ?? {}) as Partial<NodeEnv["Bindings"]>;
      const answering = incoming && answers.get(incoming);
      if (answering === undefined) {
        throw new UpgradeError("Cannot upgrade: the relay is not attached to this server; call attach(server, app)");
      }
      // The app has answered meanwhile: a middleware that waits no longer than it likes.
      if (answering.isOver) abandon();
      else answering.accepted = { open, abandon, protocol };
      return c.body(null, UPGRADED);
    },
    answer: (handshake) => {
      const { socket } = handshake;
      socket.on("error", ignore);
      whenAnswered(socket, () => {
        answer(handshake).catch(() => socket.destroy());
      });
    },
  };
}

/** The app's response; 500 where it throws or rejects, as on the server's ordinary requests. */
async function respond(fetch: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await fetch();
  } catch {
    return new Response(null, { status: 500 });
  }
}
