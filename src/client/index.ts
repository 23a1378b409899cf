/**
 * The client library: connects a program to a relay and keeps it connected. docs/client.md describes it as a whole.
 *
 * @module hono-relay/client
 */
import { type ConnectOptions, RelayClient } from "./client.ts";

export type { ConnectOptions, RelayClient, SendOptions, SendOutcome } from "./client.ts";
export { type RefusalCode, RelayError } from "./errors.ts";
export type { Ending, Presence, RelayClientEvents, RelayMessage } from "./events.ts";
export type { Room } from "./room.ts";
export type { ClientSocket, ClientSocketConstructor } from "./socket.ts";

/**
 * Connects to a relay and stays connected: a connection that is lost is made again, with the same id, and nothing
 * that was acknowledged is lost or seen twice while the relay's resume window is open.
 *
 * A page that goes into the back-forward cache goes away from its session, and resumes it when it is shown again
 * within the resume window. A page that is unloaded ends its session at once; loaded again, it begins a new one.
 *
 * @typeParam Data What the clients of this relay send each other.
 * @param url The relay's address, such as `wss://relay.example.org/ws`.
 * @throws {TypeError} When the URL does not parse, when no header could carry the token, or when there is no WebSocket
 *   here and none in the options.
 * @example
 * ```ts
 * import { connect } from "hono-relay/client";
 *
 * const relay = connect<{ text: string }>("ws://127.0.0.1:8080/ws");
 * relay.on("message", ({ from, data }) => console.log(from, data.text));
 * await relay.ready;
 * await relay.send("2", { text: "hello" });
 * relay.close();
 * ```
 */
export function connect<Data = unknown>(url: string | URL, options: ConnectOptions = {}): RelayClient<Data> {
  return new RelayClient<Data>(url, options);
}
