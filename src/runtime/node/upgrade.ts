import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { DirectTarget, DirectUpgrade } from "../../http/direct.ts";
import { refusalResponse } from "../../http/refusal.ts";
import type { Open, UpgradeWebSocket } from "../../http/runtime.ts";
import { UpgradeError } from "../../http/upgrade-error.ts";
import type { UpgradeRequest } from "../../http/upgrade-request.ts";
import { handshakeHeaders } from "../handshake-headers.ts";
import { afterEarlierResponses } from "./hand-back.ts";
import { ignore, toRequest, writeResponse } from "./request.ts";
import { createWsServer, type WsServer, type WsServerOptions } from "./ws-server.ts";

/** The environment of the app's handlers on node:http. */
export interface NodeEnv {
  Bindings: { incoming: IncomingMessage };
}

/** An upgrade request for one of the relay's routes. */
export interface NodeHandshake {
  readonly incoming: IncomingMessage;
  readonly socket: Socket;
  /** Bytes that the client sent right after its handshake. */
  readonly head: Buffer;
  /** Has the app handle the request. */
  fetch(env: NodeEnv["Bindings"]): Response | Promise<Response>;
}

/** A handshake that the app need not see. */
export interface DirectHandshake extends Omit<NodeHandshake, "fetch"> {
  readonly target: DirectTarget;
  readonly upgrade: DirectUpgrade["upgrade"];
}

/** The upgrade for node:http. */
export interface NodeUpgrade {
  readonly upgradeWebSocket: UpgradeWebSocket<NodeEnv>;
  /** Has the app handle the request, and upgrades it where the app's route calls `upgradeWebSocket`. Never throws. */
  answer(handshake: NodeHandshake): void;
  /** Upgrades or refuses the request without the app. Never throws. */
  answerDirectly(handshake: DirectHandshake): void;
}

/**
 * Status of the response that a route returns for an upgrade. The app's middleware sees that response; it is never
 * sent. A Response cannot have the status 101 on Node, and no refusal has this one.
 */
const UPGRADE_STATUS = 204;

/** The arguments of a route's call of `upgradeWebSocket`. */
interface UpgradeCall {
  readonly open: Open;
  readonly abandon: () => void;
  readonly protocol: string | undefined;
}

/** A request that the app handles. */
interface HandledRequest {
  /** `undefined` until a route calls `upgradeWebSocket`. */
  upgradeCall: UpgradeCall | undefined;
  /** Whether the app has returned its response. */
  hasResponse: boolean;
}

/**
 * Makes the guard before `ws`, which lets only accepted requests through to it.
 *
 * node-ws 1.3.1, attached to a server as its documentation says, ends or exhausts the process on input that any client
 * can send: a URL that does not parse, a connection reset during the upgrade, a handshake that `ws` refuses. So it is
 * not attached to the server, and each request takes these steps:
 *
 * 1. The app handles the real request. A route that accepts it calls `upgradeWebSocket`, which only notes the call, and
 *    returns a response with `UPGRADE_STATUS`.
 * 2. The response passes the app's middleware, which may replace it.
 * 3. If the response still stands for an upgrade, and the socket is open, `ws` upgrades the socket. There is no
 *    asynchronous step between this check and the upgrade. Any other response is written to the socket.
 */
export function createNodeUpgrade(options: WsServerOptions): NodeUpgrade {
  const { accept, acceptDirectly } = createWsServer(options);
  const handledRequests = new WeakMap<IncomingMessage, HandledRequest>();

  async function handle({ incoming, socket, head, fetch }: NodeHandshake): Promise<void> {
    const handled: HandledRequest = { upgradeCall: undefined, hasResponse: false };
    handledRequests.set(incoming, handled);
    const response = await responseOf(() => fetch({ incoming }));
    handled.hasResponse = true;
    const { upgradeCall } = handled;
    if (upgradeCall === undefined || response.status !== UPGRADE_STATUS || response.body !== null) {
      upgradeCall?.abandon();
      writeResponse(incoming, socket, response);
    } else if (socket.readable && socket.writable) {
      accept({
        socket,
        head,
        key: incoming.headers["sec-websocket-key"],
        protocol: upgradeCall.protocol,
        headers: handshakeHeaders(response.headers),
        open: upgradeCall.open,
      });
    } else {
      upgradeCall.abandon();
      socket.destroy();
    }
  }

  async function handleDirectly(handshake: DirectHandshake): Promise<void> {
    const { incoming, socket, upgrade } = handshake;
    const outcome = upgrade(new NodeUpgradeRequest(handshake, acceptDirectly));
    const refusal = outcome instanceof Promise ? await outcome : outcome;
    if (refusal !== undefined) writeResponse(incoming, socket, refusalResponse(refusal));
  }

  return {
    upgradeWebSocket: (c, open, protocol, abandon) => {
      // An app whose `fetch` is called without an env has no env in its contexts.
      const { incoming } = (c.env ?? {}) as Partial<NodeEnv["Bindings"]>;
      const handled = incoming && handledRequests.get(incoming);
      if (handled === undefined) {
        throw new UpgradeError("Cannot upgrade: the relay is not attached to this server; call attach(server, app)");
      }
      // A middleware, such as a timeout, may return a response before the route has finished.
      if (handled.hasResponse) abandon();
      else handled.upgradeCall = { open, abandon, protocol };
      return c.body(null, UPGRADE_STATUS);
    },
    answer: (handshake) => {
      const { socket } = handshake;
      socket.on("error", ignore);
      afterEarlierResponses(socket, () => {
        handle(handshake).catch(() => socket.destroy());
      });
    },
    answerDirectly: (handshake) => {
      const { socket } = handshake;
      socket.on("error", ignore);
      afterEarlierResponses(socket, () => {
        handleDirectly(handshake).catch(() => socket.destroy());
      });
    },
  };
}

/** A handshake on node:http that does not pass the app. */
class NodeUpgradeRequest implements UpgradeRequest {
  readonly #handshake: DirectHandshake;
  readonly #accept: WsServer["acceptDirectly"];

  constructor(handshake: DirectHandshake, accept: WsServer["acceptDirectly"]) {
    this.#handshake = handshake;
    this.#accept = accept;
  }

  get method(): string {
    return this.#handshake.incoming.method ?? "";
  }

  get path(): string {
    return this.#handshake.target.path;
  }

  header(name: string): string | undefined {
    const value = this.#handshake.incoming.headers[name];
    // Only Set-Cookie, which no client sends, is a list.
    return typeof value === "string" ? value : undefined;
  }

  query(name: string): string | undefined {
    return this.#handshake.target.query(name);
  }

  peerAddress(): string | undefined {
    return this.#handshake.socket.remoteAddress;
  }

  toRequest(): Request {
    const request = toRequest(this.#handshake.incoming);
    if (request === undefined) throw new TypeError("Cannot make a Request: the URL does not parse");
    return request;
  }

  upgrade(open: Open, protocol: string | undefined, abandon: () => void): void {
    const { incoming, socket, head } = this.#handshake;
    if (socket.readable && socket.writable) {
      this.#accept({ socket, head, key: incoming.headers["sec-websocket-key"], protocol, open });
    } else {
      abandon();
      socket.destroy();
    }
  }
}

/** Returns the app's response; 500 where the app throws or rejects, as for the server's ordinary requests. */
async function responseOf(fetch: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await fetch();
  } catch {
    return new Response(null, { status: 500 });
  }
}
