import { json } from "./json.ts";
import { plain, plainFrom } from "./plain.ts";
import type { Protocol } from "./protocol.ts";
import { text } from "./text.ts";

const SUBPROTOCOLS: readonly Protocol[] = [json, text];

/**
 * Picks the protocol for a connection (RFC 6455 §4.2.2): the first among the client's offers that the relay speaks.
 *
 * @param offers The header `Sec-WebSocket-Protocol`, names with commas between them.
 * @param withSender Whether a plain delivery names its sender.
 * @returns The classic, which has no name to answer, where nothing that is spoken was offered.
 */
export function negotiate(offers: string | null | undefined, withSender: boolean): Protocol {
  for (const offer of offers?.split(",") ?? []) {
    const name = offer.trim();
    for (const protocol of SUBPROTOCOLS) if (protocol.name === name) return protocol;
  }
  return withSender ? plainFrom : plain;
}
