import { json } from "./json.ts";
import { jsonBytes } from "./json-bytes.ts";
import { plain, plainFrom } from "./plain.ts";
import type { Protocol } from "./protocol.ts";
import { text } from "./text.ts";

const SUBPROTOCOLS: readonly Protocol[] = [json, jsonBytes, text];

/**
 * Picks the protocol for a connection (RFC 6455 §4.2.2): the first of the client's offers that the relay supports.
 *
 * @param offers Value of the header `Sec-WebSocket-Protocol`: names separated by commas.
 * @param withSender Whether deliveries of the plain protocol name their sender.
 * @returns The plain protocol, which has no name to answer, if the client offered none that the relay supports.
 */
export function negotiate(offers: string | null | undefined, withSender: boolean): Protocol {
  for (const offer of offers?.split(",") ?? []) {
    const name = offer.trim();
    for (const protocol of SUBPROTOCOLS) if (protocol.name === name) return protocol;
  }
  return withSender ? plainFrom : plain;
}
