import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { handBack } from "./hand-back.ts";

/** What `attach` uses of a server: node:http's, node:https's, or what `serve` of `@hono/node-server` returns. */
export interface UpgradeServer {
  on(event: "upgrade", listener: (...request: UpgradeRequest) => void): unknown;
  listenerCount(event: "upgrade"): number;
  emit(event: string, ...args: unknown[]): boolean;
}

/** What a server tells of an upgrade request. Of node:http, the socket is the net.Socket of the request. */
export type UpgradeRequest = readonly [incoming: IncomingMessage, socket: Socket, head: Buffer];

/** Answers one handshake. */
export type Answer = (socket: Socket, head: Buffer) => void;

/**
 * Looks whether a request is a handshake for one relay, without side effects.
 *
 * @param isLast Whether nobody else listens for the server's upgrade requests.
 * @returns What answers the handshake; `undefined` for a request that is none of the relay's.
 */
export type Claim = (incoming: IncomingMessage, isLast: boolean) => Answer | undefined;

/** Decides which requests are upgraded: Node 24.9 and later, Bun 1.4, Deno 2.9. Older Node upgrades all, once somebody listens for them. */
interface Decider {
  shouldUpgradeCallback?: (incoming: IncomingMessage) => boolean;
}

const claimsOf = new WeakMap<UpgradeServer, Claim[]>();

/**
 * Has the server's handshakes that are claimed answered by their claimants. Every other upgrade request takes the way that it would take
 * without this: to the server's other upgrade listeners, or, where there are none, to the listeners of ordinary requests.
 */
export function attachClaim(server: UpgradeServer, claim: Claim): void {
  const claims = claimsOf.get(server);
  if (claims !== undefined) {
    claims.push(claim);
    return;
  }
  const first = [claim];
  claimsOf.set(server, first);
  takeOver(server, first);
}

function takeOver(server: UpgradeServer, claims: readonly Claim[]): void {
  const othersListen = (): boolean => server.listenerCount("upgrade") > 1;
  const answers = new WeakMap<IncomingMessage, Answer>();
  const find = (incoming: IncomingMessage): Answer | undefined => {
    const known = answers.get(incoming);
    if (known !== undefined) return known;
    const isLast = !othersListen();
    for (const claim of claims) {
      const answer = claim(incoming, isLast);
      if (answer === undefined) continue;
      answers.set(incoming, answer);
      return answer;
    }
    return undefined;
  };

  // Each listener of an event is told of it, and some answer whatever comes: `ws` with a path 400, the injectWebSocket of node-ws 200. So
  // what is claimed must not become an event at all.
  const { emit } = server;
  server.emit = (event, ...args) => {
    if (event !== "upgrade") return emit.call(server, event, ...args);
    const [incoming, socket, head] = args as unknown as UpgradeRequest; // What node:http emits with this event.
    const answer = find(incoming);
    if (answer === undefined) return emit.call(server, event, ...args);
    answer(socket, head);
    return true;
  };

  // Without a listener Node upgrades nothing.
  server.on("upgrade", (incoming, socket, head) => {
    if (!othersListen()) handBack(server, incoming, socket, head);
  });
  // No declaration has it yet as a property of a server.
  const decider = server as Decider;
  const shouldUpgrade = decider.shouldUpgradeCallback;
  if (shouldUpgrade === undefined) return;
  decider.shouldUpgradeCallback = (incoming) =>
    find(incoming) !== undefined || (othersListen() && shouldUpgrade.call(server, incoming));
}
