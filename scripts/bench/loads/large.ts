import type { Load } from "./load.ts";
import { pingPongLoad } from "./ping-pong.ts";

const CLIENTS = 40;
const IN_FLIGHT = 4;
/** Room for the address in a frame of 1 MiB, the largest that the relay accepts by default. */
const ADDRESS_BYTES = 64;

/** By default, 1 MiB may wait for a connection. With this, all that is in flight to it may. */
const settings = {
  RELAY_MAX_BUFFERED_BYTES: String(8 * 1_048_576),
  RELAY_MAX_TOTAL_BUFFERED_BYTES: String(1024 * 1_048_576),
};

/** Returns a load of large messages, such as images, as text or as bytes. */
function large(size: string, messageBytes: number, asBytes: boolean): Load {
  const content = `${size.toUpperCase()}iB of ${asBytes ? "bytes" : "text"}`;
  return pingPongLoad(
    `l-${size}${asBytes ? "-bytes" : ""}`,
    `${CLIENTS} clients in pairs, ${IN_FLIGHT} messages in flight each, ${content}`,
    { clients: CLIENTS, inFlight: IN_FLIGHT, messageBytes, next: "sender", asBytes },
    // JSON, Socket.IO and PeerJS have no binary frame that is one message.
    { settings, ...(asBytes ? { dialects: { plain: "plain", bare: "bare" } } : {}) },
  );
}

export const large16k = large("16k", 16 * 1024, false);
export const large256k = large("256k", 256 * 1024, false);
export const large1m = large("1m", 1024 * 1024 - ADDRESS_BYTES, false);
export const large16kBytes = large("16k", 16 * 1024, true);
export const large256kBytes = large("256k", 256 * 1024, true);
export const large1mBytes = large("1m", 1024 * 1024 - ADDRESS_BYTES, true);
