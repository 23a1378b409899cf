import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { handBack } from "./hand-back.ts";

/**
 * The part of a server that `attach` uses. A server of node:http, of node:https, or of `serve` in `@hono/node-server`
 * fits.
 */
export interface UpgradeServer {
  on(event: "upgrade", listener: (...request: UpgradeRequest) => void): unknown;
  listenerCount(event: "upgrade"): number;
  emit(event: string, ...args: unknown[]): boolean;
}

/** Arguments of a server's upgrade event. */
export type UpgradeRequest = readonly [incoming: IncomingMessage, socket: Socket, head: Buffer];

/** Answers one handshake. `head` has the bytes that the client sent right after its handshake. */
export type Answer = (socket: Socket, head: Buffer) => void;

/**
 * Decides whether an upgrade request is a handshake for one relay. Has no side effects.
 *
 * @param isOnlyListener Whether the server has no other listeners for upgrade requests.
 * @returns The function that answers the handshake; `undefined` for a request that is not for the relay.
 */
export type Claim = (incoming: IncomingMessage, isOnlyListener: boolean) => Answer | undefined;

/**
 * A server that asks which requests to upgrade: on Node 24.9 and later, Bun 1.4, Deno 2.9. On older Node, a server with
 * an upgrade listener emits an upgrade event for each request that asks for an upgrade.
 */
interface AskingServer {
  shouldUpgradeCallback?: (incoming: IncomingMessage) => boolean;
}

const claimsOf = new WeakMap<UpgradeServer, Claim[]>();

/**
 * Adds a claim to the server: handshakes that it claims get its answer. Every other upgrade request goes where it would
 * go without the relay: to the server's other upgrade listeners, or, where there are none, to the listeners of ordinary
 * requests.
 */
export function addClaim(server: UpgradeServer, claim: Claim): void {
  const claims = claimsOf.get(server);
  if (claims !== undefined) {
    claims.push(claim);
    return;
  }
  const firstClaims = [claim];
  claimsOf.set(server, firstClaims);
  interceptUpgrades(server, firstClaims);
}

/** Has the server's upgrade requests go through the claims first. `claims` may grow later. */
function interceptUpgrades(server: UpgradeServer, claims: readonly Claim[]): void {
  const hasOtherListeners = (): boolean => server.listenerCount("upgrade") > 1;
  const findAnswer = (incoming: IncomingMessage): Answer | undefined => {
    const isOnlyListener = !hasOtherListeners();
    for (const claim of claims) {
      const answer = claim(incoming, isOnlyListener);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  // The latest answer that the server asked for and that has not been given. A server asks about a request right before
  // it emits the event. With a WeakMap of all, V8's fast collections kept 1.5 KiB more of each connection.
  let latest: { readonly incoming: IncomingMessage; readonly answer: Answer } | undefined;
  const takeAnswer = (incoming: IncomingMessage): Answer | undefined => {
    const known = latest?.incoming === incoming ? latest.answer : undefined;
    latest = undefined;
    return known ?? findAnswer(incoming);
  };

  // A server calls all its upgrade listeners, and some of them answer every request: `ws` with the option `path`
  // answers 400, the injectWebSocket of node-ws 200. So a claimed request must not become an event at all.
  const { emit } = server;
  server.emit = (event, ...args) => {
    if (event !== "upgrade") return emit.call(server, event, ...args);
    const [incoming, socket, head] = args as unknown as UpgradeRequest; // The arguments of node:http's upgrade event.
    const answer = takeAnswer(incoming);
    if (answer === undefined) return emit.call(server, event, ...args);
    answer(socket, head);
    return true;
  };

  // Node emits upgrade events only for a server with an upgrade listener. This one gets the requests without a claim.
  // Where no other listener can answer such a request, it is an ordinary request.
  server.on("upgrade", (incoming, socket, head) => {
    if (!hasOtherListeners()) handBack(server, incoming, socket, head);
  });
  // The types of Node do not have this property of a server yet.
  const askingServer = server as AskingServer;
  const shouldUpgrade = askingServer.shouldUpgradeCallback;
  if (shouldUpgrade === undefined) return;
  askingServer.shouldUpgradeCallback = (incoming) => {
    const answer = findAnswer(incoming);
    if (answer === undefined) return hasOtherListeners() && shouldUpgrade.call(server, incoming);
    latest = { incoming, answer };
    return true;
  };
}
