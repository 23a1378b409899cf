import { fromBase64, toBase64 } from "./base64.ts";
import { Envelope } from "./envelope.ts";
import { badFrame } from "./errors.ts";
import { Frame, toBytes, toText } from "./frame.ts";
import { type ClientFrame, clientFrame } from "./json-frames.ts";
import { MAX_DEPTH, readObject, stringOf } from "./json-text.ts";
import { Message } from "./message.ts";
import { owned } from "./owned.ts";
import type { Command, Outcome, Protocol, RelayEvent } from "./protocol.ts";

/** Decodes a text frame. */
export function decodeText(frame: Frame): Command {
  if (frame.binary) return undecodable("relay.v1.json takes text frames");
  const text = toText(frame.payload);
  return readUsualSend(text) ?? readUsualSequenceAck(text) ?? decodeAny(text);
}

/**
 * Matches the most frequent frame: a `send` of a text without escapes, with its fields in the order of the client
 * library. A frame that matches is valid JSON and satisfies the schema, so nothing is left to check. The text is in two
 * groups: the second begins at the first surrogate, and is absent from a text that JSON does not escape.
 */
const USUAL_SEND = new RegExp(
  [
    /^\{"type":"send","to":"([\w.~-]*)"/,
    /,"data":"([ !#-[\]-\ud7ff\ue000-\uffff]*)([\ud800-\udfff][ !#-[\]-\uffff]*)?"/,
    /(?:,"ackId":(0|[1-9]\d{0,14}))?\}$/,
  ]
    .map(({ source }) => source)
    .join(""),
);

function readUsualSend(text: string): Command | undefined {
  const fields = USUAL_SEND.exec(text);
  if (fields === null) return undefined;
  const to = fields[1] ?? "";
  const data = fields[2] ?? "";
  const rest = fields[3];
  const ackId = fields[4];
  const message = rest === undefined ? new Message(data, "text", true) : new Message(data + rest, "text");
  return { type: "send", to, message, ackId: ackId === undefined ? ackId : Number(ackId) };
}

/** Matches a `sequenceAck`, as every client that receives messages sends it. What matches satisfies the schema. */
const USUAL_SEQUENCE_ACK = /^\{"type":"sequenceAck","sequenceId":(0|[1-9]\d{0,14})\}$/;

function readUsualSequenceAck(text: string): Command | undefined {
  const fields = USUAL_SEQUENCE_ACK.exec(text);
  return fields === null ? undefined : { type: "sequenceAck", sequenceId: Number(fields[1]) };
}

/**
 * Decodes any other frame, valid or not, by JSON's grammar and the schema.
 *
 * @param body Bytes of a message that came behind the text, in place of its fields `data` and `encoding`.
 */
export function decodeAny(text: string, body?: Uint8Array): Command {
  const fields: Fields = {};
  /** Text of the field `data`. It is forwarded as it came; no value is built from it. */
  let data: string | undefined;
  const fault = readObject(text, (name, start, end) => {
    if (name === "data") data = cutData(text, start, end);
    else if (isFieldName(name)) fields[name] = scalarOf(text.slice(start, end));
  });
  if (fault === "malformed") return undecodable(FAULTS.malformed);
  if (fault !== undefined) return undecodable(FAULTS[fault], ackIdOf(fields));
  if (body !== undefined) return decodeBytes(fields, data, body);
  if (isPlainSend(fields) && data !== undefined) {
    return { type: "send", to: fields.to, message: toMessage(data), ackId: fields.ackId };
  }
  const command = check(fields, data);
  if (command.type === "refused") return command;
  switch (command.type) {
    case "send":
    case "publish": {
      const message = command.encoding === undefined ? toMessage(data ?? "") : bytesMessage(data ?? "");
      if (message === undefined) return undecodable("data: not base64", command.ackId);
      return command.type === "send"
        ? { type: "send", to: command.to, message, ackId: command.ackId }
        : { type: "publish", room: command.room, message, echo: command.echo ?? false, ackId: command.ackId };
    }
    case "join":
    case "leave":
    case "members":
      return { type: command.type, room: command.room, ackId: command.ackId };
    case "watch":
    case "unwatch":
      return { type: command.type, id: command.id, ackId: command.ackId };
    default:
      return command;
  }
}

/** Decodes the head of a binary frame: a `send` or a `publish` whose data is the body. */
function decodeBytes(fields: Fields, data: string | undefined, body: Uint8Array): Command {
  if (data !== undefined || "encoding" in fields) {
    return undecodable("a binary frame has its data behind the head", ackIdOf(fields));
  }
  const command = check(fields, body);
  if (command.type === "refused") return command;
  const message = new Message(body, "bytes");
  if (command.type === "send") return { type: "send", to: command.to, message, ackId: command.ackId };
  if (command.type !== "publish") return undecodable("a binary frame is a send or a publish", ackIdOf(fields));
  return { type: "publish", room: command.room, message, echo: command.echo ?? false, ackId: command.ackId };
}

/** Checks the fields by the schema. @returns The command `refused` where they do not satisfy it. */
function check(fields: Fields, data: unknown): ClientFrame | Refused {
  const result = clientFrame.safeParse({ ...fields, data });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? "the frame" : issue.path.join(".");
  return undecodable(`${field}: ${issue?.message ?? "not expected"}`, ackIdOf(fields));
}

/** Characters around `data` that may stay in memory with it. A mailbox counts as many for each message. */
const MAX_KEPT_AROUND = 128;

/**
 * Cuts the text of `data` from the frame's text. A slice keeps the whole frame in memory, so the text is copied if the
 * rest of the frame is large.
 */
function cutData(text: string, start: number, end: number): string {
  const data = text.slice(start, end);
  return text.length - data.length > MAX_KEPT_AROUND ? owned(data) : data;
}

const FAULTS = {
  malformed: "it is not a JSON object",
  "too deep": `it is nested deeper than ${MAX_DEPTH} levels`,
  "beyond a double": "it holds a number beyond the range of a double (IEEE 754)",
} as const;

/** Names of all fields of frames except `data`. */
const FIELD_NAMES = ["type", "to", "room", "id", "encoding", "echo", "ackId", "sequenceId"] as const;
type FieldName = (typeof FIELD_NAMES)[number];
type Fields = Partial<Record<FieldName, unknown>>;

const fieldNames: ReadonlySet<string> = new Set(FIELD_NAMES);

function isFieldName(name: string): name is FieldName {
  return fieldNames.has(name);
}

/** Returns the value of a field; `null` for an array or an object, which the schema refuses in any of these fields. */
function scalarOf(text: string): unknown {
  if (text.startsWith('"')) return stringOf(text);
  return text.startsWith("{") || text.startsWith("[") ? null : JSON.parse(text);
}

/**
 * Whether the fields are those of a `send` without an encoding, as in nearly all frames. Checks the same as the schema,
 * several times faster. Other fields may still be valid.
 */
function isPlainSend(fields: Fields): fields is { to: string; ackId: number | undefined } {
  if (fields.type !== "send" || typeof fields.to !== "string" || "encoding" in fields) return false;
  return !("ackId" in fields) || isAckId(fields.ackId);
}

function isAckId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

type Refused = Extract<Command, { type: "refused" }>;

/** Returns the command of a frame that cannot be read. @param reason Ends the sentence of the error. */
export function undecodable(reason: string, ackId?: number): Refused {
  return { type: "refused", error: badFrame(reason), ackId };
}

/** Returns the `ackId` of an invalid frame, so that the sender gets the error in an ack of this number. */
function ackIdOf({ ackId }: Fields): number | undefined {
  return isAckId(ackId) ? ackId : undefined;
}

/** Makes a message. @param data Text of a JSON value. */
function toMessage(data: string): Message {
  return data.startsWith('"') ? new Message(stringOf(data), "text") : new Message(data, "json");
}

/** Makes a message of a JSON string in base64. @returns `undefined` if the data is not one. */
function bytesMessage(data: string): Message | undefined {
  const bytes = data.startsWith('"') ? fromBase64(stringOf(data)) : undefined;
  return bytes === undefined ? undefined : new Message(bytes, "bytes");
}

/** Envelopes of a message whose data is any JSON value, and of one whose data is a text that needs no escapes. */
const MESSAGE = new Envelope('{"type":"message","from":"', '","data":', ',"sequenceId":', "}");
const TEXT_MESSAGE = new Envelope('{"type":"message","from":"', '","data":"', '","sequenceId":', "}");

/** Envelope of a message of the server. It has no sender. */
const SERVER_MESSAGE = new Envelope('{"type":"message"', ',"data":', ',"sequenceId":', "}");

/** Envelopes of the two most frequent acks. */
const DELIVERED = new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"delivered"}');
const QUEUED = new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"queued"}');

/** Matches text that JSON does not escape: no control characters, no `"` or `\`, no surrogates. */
const UNESCAPED = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

/** Returns the address of a message for its envelope: the sender, and the room where it was published. */
export function addressOf(from: string, room: string | undefined): string {
  return room === undefined ? from : `${from}","room":"${room}`;
}

/** Returns the address of a message of the server: the room where it was published. */
export function serverAddressOf(room: string | undefined): string {
  return room === undefined ? "" : `,"room":"${room}"`;
}

function encodeServerMessage(room: string | undefined, { payload, kind }: Message): Frame {
  const text = kind === "bytes" ? "" : toText(payload);
  const data = kind === "text" ? JSON.stringify(text) : text;
  const field = kind === "bytes" ? `"${toBase64(toBytes(payload))}","encoding":"base64"` : data;
  return new Frame(field, false, SERVER_MESSAGE, serverAddressOf(room));
}

function encodeMessage(from: string | undefined, room: string | undefined, message: Message): Frame {
  if (from === undefined) return encodeServerMessage(room, message);
  const { payload, kind, isUnescaped } = message;
  const address = addressOf(from, room);
  if (kind === "bytes") {
    return new Frame(`"${toBase64(toBytes(payload))}","encoding":"base64"`, false, MESSAGE, address);
  }
  const text = toText(payload);
  if (kind === "json") return new Frame(text, false, MESSAGE, address);
  if (isUnescaped || UNESCAPED.test(text)) return new Frame(text, false, TEXT_MESSAGE, address);
  return new Frame(JSON.stringify(text), false, MESSAGE, address);
}

/** Returns the fields of an ack that describe the outcome. */
function outcomeFields(outcome: Outcome): Record<string, unknown> {
  if (outcome.outcome !== "failed") return { ...outcome };
  const { code, message, temporary } = outcome.error;
  const original = outcome.original === undefined ? {} : { original: outcomeFields(outcome.original) };
  return { outcome: "failed", error: { code, message, temporary }, ...original };
}

function encode(event: RelayEvent): Frame | undefined {
  switch (event.type) {
    case "ack": {
      const { ackId, outcome } = event;
      if (outcome.outcome === "queued") return new Frame("", false, QUEUED, "", ackId);
      if (outcome.outcome === "delivered" && outcome.recipients === undefined) {
        return new Frame("", false, DELIVERED, "", ackId);
      }
      return jsonFrame({ type: "ack", ackId, ...outcomeFields(outcome) });
    }
    case "error": {
      const { code, message, temporary } = event.error;
      return jsonFrame({ type: "error", error: { code, message, temporary } });
    }
    case "welcome":
    case "resumeToken":
    case "presence":
    case "ping":
    case "pong":
      return jsonFrame(event);
    case "members":
    case "whoami":
    case "help":
      return undefined;
  }
}

function jsonFrame(value: object): Frame {
  return new Frame(JSON.stringify(value), false);
}

/** `relay.v1.json`, for programs: numbered messages, and an ack for each frame that has an `ackId`. */
export const json: Protocol = {
  name: "relay.v1.json",
  numbersMessages: true,
  decode: decodeText,
  encodeMessage,
  encode,
};
