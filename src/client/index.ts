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
 * Connects to a relay, and reconnects when the connection is lost. Within the relay's resume window the client gets the
 * same id again, and acknowledged messages are neither lost nor delivered twice.
 *
 * A page that goes into the back-forward cache disconnects, and resumes its session when it is shown again within the
 * resume window. A page that is unloaded ends its session at once; when it is loaded again, it begins a new one.
 *
 * @typeParam Data The data that the clients of this relay send to each other. The library does not check it.
 * @param url The relay's address, such as `wss://relay.example.org/ws`.
 * @throws {TypeError} When the URL does not parse, when the token has a character that a header cannot have, or when
 *   there is neither a global WebSocket nor one in the options.
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
