import type { Context, Env } from "hono";
import type { Connection } from "../core/link/connection.ts";
import type { Link } from "../core/link/link.ts";

/** Opens the relay's end of a connection; called once, when the socket is open. */
export type Open = (connection: Connection) => Link;

/**
 * Turns the request into a WebSocket and calls `open` with it.
 *
 * The request has passed `checkHandshake`; between that check and the upgrade nothing may wait.
 *
 * @param protocol The subprotocol to answer; none where it is `undefined`, whatever was offered.
 * @param abandon Gives the connection's place back; to be called when the socket will never open, or is gone and no link was told. Harmless
 * when repeated. Where a runtime cannot tell, the place is given back when the handshake's time is over.
 */
export type UpgradeWebSocket<E extends Env> = (
  c: Context<E>,
  open: Open,
  protocol: string | undefined,
  abandon: () => void,
) => Response;

/** What a runtime gives the app. */
export interface Runtime<E extends Env> {
  readonly upgradeWebSocket: UpgradeWebSocket<E>;
  /** The address at the other end of the request's socket; `undefined` where the runtime does not tell. */
  peerAddress(c: Context<E>): string | undefined;
}
