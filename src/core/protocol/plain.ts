import { badFrame, type SendError } from "../errors.ts";
import { Frame, prefixed } from "../frame.ts";
import { Message } from "../message.ts";
import { payloadFrom, readAddress } from "./address.ts";
import type { Command, Protocol, RelayEvent } from "./protocol.ts";

function decode(frame: Frame): Command {
  const { payload, binary } = frame;
  const address = readAddress(payload);
  if (address === undefined || address.text === "") {
    return { type: "refused", error: badFrame("it is not id:message"), ackId: undefined };
  }
  const message = new Message(payloadFrom(payload, address.messageStart), binary ? "bytes" : "text");
  return { type: "send", to: address.text, message, ackId: undefined };
}

function encode(event: RelayEvent): Frame | undefined {
  return event.type === "error" ? encodeError(event.error) : undefined;
}

function encodeError(error: SendError): Frame {
  return new Frame(`:error ${error.code} ${error.message}`, false);
}

/** The classic: `id:message` in, `message` out. */
export const plain: Protocol = {
  name: undefined,
  numbersMessages: false,
  decode,
  encode,
  encodeMessage(_from, _room, { payload, kind }) {
    return new Frame(payload, kind === "bytes");
  },
};

/** The classic with its sender: `id:message` in, `sender:message` out. */
export const plainFrom: Protocol = {
  name: undefined,
  numbersMessages: false,
  decode,
  encode,
  encodeMessage(from, _room, { payload, kind }) {
    return new Frame(prefixed(`${from}:`, payload), kind === "bytes");
  },
};
