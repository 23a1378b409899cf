import { badFrame, badId, type SendError } from "../errors.ts";
import { Frame, type Payload } from "../frame.ts";
import { MAX_ID_LENGTH } from "../id.ts";
import type { Command, Protocol, RelayEvent } from "./protocol.ts";

const COLON = 0x3a;
const MAX_ASCII = 0x7f;
const SHORT_BYTES = 8;
// Without ignoreBOM it would swallow a byte order mark at the beginning.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Where a plain frame's address ends, or why it has none. */
type Address = { readonly id: string; readonly messageStart: number } | { readonly error: SendError };

/**
 * Reads the address of a plain frame, `id:message`.
 *
 * Only the first colon separates: the message may hold colons and may be empty. Whether the id is one that the
 * relay could give is not looked at.
 */
export function readAddress(payload: Payload): Address {
  const colon = typeof payload === "string" ? payload.indexOf(":") : payload.indexOf(COLON);
  if (colon < 1) return { error: badFrame() };
  if (colon > MAX_ID_LENGTH) return { error: badId(readId(payload, MAX_ID_LENGTH + 1)) };
  return { id: readId(payload, colon), messageStart: colon + 1 };
}

/** The first `length` characters or bytes, as text. */
function readId(payload: Payload, length: number): string {
  if (typeof payload === "string") return payload.slice(0, length);
  // Most ids are short and ASCII: put together faster than a decoder is called.
  if (length > SHORT_BYTES) return decoder.decode(payload.subarray(0, length));
  let id = "";
  for (let i = 0; i < length; i++) {
    const byte = payload[i] ?? 0;
    if (byte > MAX_ASCII) return decoder.decode(payload.subarray(0, length));
    id += String.fromCharCode(byte);
  }
  return id;
}

function decode(frame: Frame): Command {
  const address = readAddress(frame.payload);
  if ("error" in address) return { type: "refused", error: address.error };
  const { payload, binary } = frame;
  const message =
    typeof payload === "string" ? payload.slice(address.messageStart) : payload.subarray(address.messageStart);
  return { type: "send", to: address.id, message: new Frame(message, binary) };
}

function encodeError(error: SendError): Frame {
  return new Frame(`:error ${error.code} ${error.message}`, false);
}

function withSender(from: string, message: Frame): Frame {
  const { payload, binary } = message;
  if (typeof payload === "string") return new Frame(`${from}:${payload}`, binary);
  const sender = encoder.encode(`${from}:`);
  const bytes = new Uint8Array(sender.length + payload.length);
  bytes.set(sender);
  bytes.set(payload, sender.length);
  return new Frame(bytes, binary);
}

/** The classic: `id:message` in, `message` out. */
export const plain: Protocol = {
  decode,
  encode(event: RelayEvent): Frame {
    return event.type === "message" ? event.message : encodeError(event.error);
  },
};

/** The classic with its sender: `id:message` in, `sender:message` out. */
export const plainFrom: Protocol = {
  decode,
  encode(event: RelayEvent): Frame {
    return event.type === "message" ? withSender(event.from, event.message) : encodeError(event.error);
  },
};
