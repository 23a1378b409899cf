import { Envelope } from "./envelope.ts";
import { Frame, toBytes } from "./frame.ts";
import { addressOf, decodeAny, decodeText, json, serverAddressOf, undecodable } from "./json.ts";
import { Message } from "./message.ts";
import { ownedBytes } from "./owned.ts";
import type { Command, Protocol } from "./protocol.ts";

/** Longest head of a binary frame, in bytes: several times what any head needs. */
const MAX_HEAD_BYTES = 1024;
const LINE_FEED = 0x0a;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Matches the most frequent head. Its fields are in the order of the client library. */
const USUAL_HEAD = /^\{"type":"send","to":"([\w.~-]*)"(?:,"ackId":(0|[1-9]\d{0,14}))?\}$/;

/** Envelope of a binary frame: its head, and the line feed behind it. */
const MESSAGE = new Envelope('{"type":"message","from":"', "", '","sequenceId":', "}\n");

/** Envelope of a binary frame of the server. It has no sender. */
const SERVER_MESSAGE = new Envelope('{"type":"message"', "", ',"sequenceId":', "}\n");

/** Decodes a binary frame: a head, which is a JSON object in one line, a line feed, and the bytes of the message. */
function decodeBinary(payload: Uint8Array): Command {
  const end = payload.subarray(0, MAX_HEAD_BYTES + 1).indexOf(LINE_FEED);
  if (end < 0) return undecodable(`a binary frame is a line of JSON of at most ${MAX_HEAD_BYTES} bytes, then its data`);
  const head = readHead(payload.subarray(0, end));
  if (head === undefined) return undecodable("its head is not UTF-8");
  const body = payload.subarray(end + 1);
  const usual = USUAL_HEAD.exec(head);
  if (usual === null) return decodeAny(head, body);
  const ackId = usual[2];
  const message = new Message(body, "bytes");
  return { type: "send", to: usual[1] ?? "", message, ackId: ackId === undefined ? ackId : Number(ackId) };
}

function readHead(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * `relay.v1.json-bytes`: the same as `relay.v1.json`, but a message of bytes is a binary frame with the bytes as they
 * are, behind a head in JSON. Base64 costs both ends more than all the rest of such a message.
 */
export const jsonBytes: Protocol = {
  name: "relay.v1.json-bytes",
  numbersMessages: true,
  decode(frame) {
    return frame.binary ? decodeBinary(toBytes(frame.payload)) : decodeText(frame);
  },
  encodeMessage(from, room, message) {
    if (message.kind !== "bytes") return json.encodeMessage(from, room, message);
    const bytes = ownedBytes(toBytes(message.payload));
    if (from === undefined) return new Frame(bytes, true, SERVER_MESSAGE, serverAddressOf(room));
    return new Frame(bytes, true, MESSAGE, addressOf(from, room));
  },
  encode: json.encode,
};
