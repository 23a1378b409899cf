import { fromBase64, toBase64 } from "./base64.ts";
import { Envelope } from "./envelope.ts";
import { badFrame } from "./errors.ts";
import { Frame, textOf, toBytes } from "./frame.ts";
import { clientFrame } from "./json-frames.ts";
import { MAX_DEPTH, readObject, stringOf } from "./json-text.ts";
import { Message } from "./message.ts";
import { owned } from "./owned.ts";
import type { Command, Outcome, Protocol, RelayEvent } from "./protocol.ts";

function decode(frame: Frame): Command {
  if (frame.binary) return refused("relay.v1.json takes text frames", undefined);
  const text = textOf(frame.payload);
  return readUsualSend(text) ?? decodeAny(text);
}

/**
 * A `send` of a text, spelled as `JSON.stringify` does with nothing to escape, as most frames are. It can be read in
 * one way only, and nothing in it is left to check.
 */
const USUAL_SEND =
  /^\{"type":"send","to":"([A-Za-z0-9._~-]*)","data":"([ !#-[\]-\uffff]*)"(?:,"ackId":(0|[1-9]\d{0,14}))?\}$/;

function readUsualSend(text: string): Command | undefined {
  const fields = USUAL_SEND.exec(text);
  if (fields === null) return undefined;
  const [, to = "", data = "", ackId] = fields;
  return { type: "send", to, message: new Message(data, "text"), ackId: ackId === undefined ? ackId : Number(ackId) };
}

/** Reads everything else that a client may send or get wrong, by JSON's grammar and the schema. */
function decodeAny(text: string): Command {
  const fields: Fields = {};
  /** The text of `data`: no value is made of it, and it goes on as it came. */
  let data: string | undefined;
  const fault = readObject(text, (name, start, end) => {
    if (name === "data") data = cutData(text, start, end);
    else if (isFieldName(name)) fields[name] = scalarOf(text.slice(start, end));
  });
  if (fault === "malformed") return refused(FAULTS.malformed, undefined);
  if (fault !== undefined) return refused(FAULTS[fault], ackIdOf(fields));
  if (isPlainSend(fields) && data !== undefined) {
    return { type: "send", to: fields.to, message: toMessage(data), ackId: fields.ackId };
  }
  const result = clientFrame.safeParse({ ...fields, data });
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue === undefined || issue.path.length === 0 ? "the frame" : issue.path.join(".");
    return refused(`${field}: ${issue?.message ?? "not expected"}`, ackIdOf(fields));
  }
  const command = result.data;
  switch (command.type) {
    case "send":
    case "publish": {
      const message = command.encoding === undefined ? toMessage(data ?? "") : bytesMessage(data ?? "");
      if (message === undefined) return refused("data: not base64", command.ackId);
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

/** Characters that a frame may have around its `data` for that to be kept as a part of it; a mailbox counts as many. */
const KEPT_AROUND = 128;

/** The text of `data`, as a part of the frame's text, which it keeps alive, or as a copy where most of the frame would be kept for nothing. */
function cutData(text: string, start: number, end: number): string {
  const data = text.slice(start, end);
  return text.length - data.length > KEPT_AROUND ? owned(data) : data;
}

const FAULTS = {
  malformed: "it is not a JSON object",
  "too deep": `it is nested deeper than ${MAX_DEPTH} levels`,
  "beyond a double": "it holds a number beyond the range of a double (IEEE 754)",
} as const;

/** The fields of frames, but for `data`. */
const FIELD_NAMES = ["type", "to", "room", "id", "encoding", "echo", "ackId", "sequenceId"] as const;
type FieldName = (typeof FIELD_NAMES)[number];
type Fields = Partial<Record<FieldName, unknown>>;

const fieldNames: ReadonlySet<string> = new Set(FIELD_NAMES);

function isFieldName(name: string): name is FieldName {
  return fieldNames.has(name);
}

/**
 * The value of a field's text. No field but `data` is an array or an object: one stands for whatever the schema
 * refuses.
 */
function scalarOf(text: string): unknown {
  if (text.startsWith('"')) return stringOf(text);
  return text.startsWith("{") || text.startsWith("[") ? null : JSON.parse(text);
}

/**
 * Whether the fields are those of a `send` without an encoding, as nearly all frames have them: what the schema says of
 * one, several times faster than the schema. What is none may still be a frame.
 */
function isPlainSend(fields: Fields): fields is { to: string; ackId: number | undefined } {
  if (fields.type !== "send" || typeof fields.to !== "string" || "encoding" in fields) return false;
  return !("ackId" in fields) || isAckId(fields.ackId);
}

function isAckId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function refused(expected: string, ackId: number | undefined): Command {
  return { type: "refused", error: badFrame(expected), ackId };
}

/** The `ackId` of what is no frame, so that its sender is told under the number that it gave. */
function ackIdOf({ ackId }: Fields): number | undefined {
  return isAckId(ackId) ? ackId : undefined;
}

/** @param data The text of a JSON value. */
function toMessage(data: string): Message {
  return data.startsWith('"') ? new Message(stringOf(data), "text") : new Message(data, "json");
}

/** The bytes of a JSON string that is base64; `undefined` where the value is none. */
function bytesMessage(data: string): Message | undefined {
  const bytes = data.startsWith('"') ? fromBase64(stringOf(data)) : undefined;
  return bytes === undefined ? undefined : new Message(bytes, "bytes");
}

/** A message, around who it is from and its data; and one of a text that stands as it is between its quotes. */
const MESSAGE = new Envelope('{"type":"message","from":"', '","data":', ',"sequenceId":', "}");
const TEXT_MESSAGE = new Envelope('{"type":"message","from":"', '","data":"', '","sequenceId":', "}");

/** Nearly all acks are these two. */
const DELIVERED = new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"delivered"}');
const QUEUED = new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"queued"}');

/**
 * Text that JSON does not escape: neither control characters, `"` and `\`, nor what may be half of a surrogate pair.
 */
const UNESCAPED = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

function encodeMessage(from: string, room: string | undefined, { payload, kind }: Message): Frame {
  const address = room === undefined ? from : `${from}","room":"${room}`;
  if (kind === "bytes") {
    return new Frame(`"${toBase64(toBytes(payload))}","encoding":"base64"`, false, MESSAGE, address);
  }
  const text = textOf(payload);
  if (kind === "json") return new Frame(text, false, MESSAGE, address);
  if (UNESCAPED.test(text)) return new Frame(text, false, TEXT_MESSAGE, address);
  return new Frame(JSON.stringify(text), false, MESSAGE, address);
}

/** An outcome's fields as they stand in an ack. */
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
      return inJson({ type: "ack", ackId, ...outcomeFields(outcome) });
    }
    case "error": {
      const { code, message, temporary } = event.error;
      return inJson({ type: "error", error: { code, message, temporary } });
    }
    case "welcome":
    case "resumeToken":
    case "presence":
    case "ping":
    case "pong":
      return inJson(event);
    case "members":
    case "whoami":
    case "help":
      return undefined;
  }
}

function inJson(value: object): Frame {
  return new Frame(JSON.stringify(value), false);
}

/** `relay.v1.json`, for programs: numbered messages, an outcome for each frame that asks for one. */
export const json: Protocol = {
  name: "relay.v1.json",
  numbersMessages: true,
  decode,
  encodeMessage,
  encode,
};
