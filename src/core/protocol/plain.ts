import { payloadFrom, readAddress } from "./address.ts";
import { badFrame, type SendError } from "./errors.ts";
import { addPrefix, Frame } from "./frame.ts";
import { Message } from "./message.ts";
import type { Command, Protocol, RelayEvent } from "./protocol.ts";

const NEEDS_TEXT_PROTOCOL =
  "it is not id:message; a command such as :whoami needs the subprotocol (Sec-WebSocket-Protocol) relay.v1.text, " +
  "such as wscat -s relay.v1.text";

function decode(frame: Frame): Command {
  const { payload, binary } = frame;
  const address = readAddress(payload);
  if (address === undefined) return undecodable("it is not id:message");
  if (address.text === "") return undecodable(NEEDS_TEXT_PROTOCOL);
  const message = new Message(payloadFrom(payload, address.messageStart), binary ? "bytes" : "text");
  return { type: "send", to: address.text, message, ackId: undefined };
}

function undecodable(reason: string): Command {
  return { type: "refused", error: badFrame(reason), ackId: undefined };
}

function encode(event: RelayEvent): Frame | undefined {
  return event.type === "error" ? encodeError(event.error) : undefined;
}

function encodeError(error: SendError): Frame {
  return new Frame(`:error ${error.code} ${error.message}${hint(error)}`, false);
}

/** Names the protocol that the client needs, if its bad address looks like a room or JSON. The subject is quoted. */
function hint({ code, subject = "" }: SendError): string {
  if (code !== "bad_id") return "";
  if (subject.startsWith('"#')) return "; a room needs relay.v1.text or relay.v1.json";
  return subject.startsWith('"{') ? "; a JSON frame needs relay.v1.json" : "";
}

/** The plain protocol: `id:message` in, `message` out. */
export const plain: Protocol = {
  name: undefined,
  numbersMessages: false,
  decode,
  encode,
  encodeMessage(_from, _room, { payload, kind }) {
    return new Frame(payload, kind === "bytes");
  },
};

/** The plain protocol with `?from=1`: `id:message` in, `sender:message` out; `:server message` from the server. */
export const plainFrom: Protocol = {
  name: undefined,
  numbersMessages: false,
  decode,
  encode,
  encodeMessage(from, _room, { payload, kind }) {
    return new Frame(addPrefix(from === undefined ? ":server " : `${from}:`, payload), kind === "bytes");
  },
};
