import type { Context, Env } from "hono";
import type { Connection } from "../core/link/connection.ts";
import type { Link } from "../core/link/link.ts";

/** Opens the relay's end of a connection. A runtime calls it once, when the socket is open. */
export type Open = (connection: Connection) => Link;

/**
 * Upgrades the request to a WebSocket, and calls `open` when the socket is open.
 *
 * The request has passed `checkHandshake`. Between that check and this call there must be no asynchronous step.
 *
 * @param protocol The subprotocol to answer; none where it is `undefined`, whatever the client offered.
 * @param abandon Releases the connection's place. The runtime calls it when the socket will never open, or closed
 * before `open` returned a link. Harmless when repeated. Where a runtime does not notice, the handshake's timeout
 * releases the place.
 */
export type UpgradeWebSocket<E extends Env> = (
  c: Context<E>,
  open: Open,
  protocol: string | undefined,
  abandon: () => void,
) => Response;

/** The functions of a runtime that the relay's routes need. */
export interface Runtime<E extends Env> {
  readonly upgradeWebSocket: UpgradeWebSocket<E>;
  /** Returns the address at the other end of the request's socket; `undefined` where the runtime does not know it. */
  peerAddress(c: Context<E>): string | undefined;
}
