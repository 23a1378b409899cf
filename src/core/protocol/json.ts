import { Envelope } from "../envelope.ts";
import { badFrame } from "../errors.ts";
import { Frame, textOf } from "../frame.ts";
import { Message } from "../message.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { clientFrame } from "./json-frames.ts";
import type { Command, Outcome, Protocol, RelayEvent } from "./protocol.ts";

function decode(frame: Frame): Command {
  if (frame.binary) return refused("relay.v1.json takes text frames", undefined);
  const text = textOf(frame.payload);
  return readUsualSend(text) ?? decodeAny(text);
}

/**
 * A `send` of a text, spelled as `JSON.stringify` does with nothing to escape, as most frames are. It can be read in one way only,
 * and nothing in it is left to check.
 */
const USUAL_SEND =
  /^\{"type":"send","to":"([A-Za-z0-9._~-]*)","data":"([ !#-[\]-\uffff]*)"(?:,"ackId":(0|[1-9]\d{0,14}))?\}$/;

function readUsualSend(text: string): Command | undefined {
  const fields = USUAL_SEND.exec(text);
  if (fields === null) return undefined;
  const [, to = "", data = "", ackId] = fields;
  return { type: "send", to, message: new Message(data, "text"), ackId: ackId === undefined ? ackId : Number(ackId) };
}

/** The same by JSON's grammar and the schema, for everything else that a client may send or get wrong. */
function decodeAny(text: string): Command {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("it is not JSON", undefined);
  }
  if (isPlainSend(value)) {
    const message = toMessage(value.data, undefined);
    if (message !== undefined) return { type: "send", to: value.to, message, ackId: value.ackId };
  }
  const result = clientFrame.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue === undefined || issue.path.length === 0 ? "the frame" : issue.path.join(".");
    return refused(`${field}: ${issue?.message ?? "not expected"}`, ackIdOf(value));
  }
  const command = result.data;
  switch (command.type) {
    case "send":
    case "publish": {
      const message = toMessage(command.data, command.encoding);
      if (message === undefined) return refused("data: not base64, or nested too deep", command.ackId);
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

/**
 * Whether it is a `send` without an encoding, as nearly all frames are: what the schema says of one, several times faster than the
 * schema. What is none may still be a frame.
 */
function isPlainSend(value: unknown): value is { to: string; data: unknown; ackId: number | undefined } {
  if (typeof value !== "object" || value === null || !("type" in value) || value.type !== "send") return false;
  if (!("to" in value) || typeof value.to !== "string" || !("data" in value) || "encoding" in value) return false;
  return !("ackId" in value) || isAckId(value.ackId);
}

function isAckId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function refused(expected: string, ackId: number | undefined): Command {
  return { type: "refused", error: badFrame(expected), ackId };
}

/** The `ackId` of a value that is no frame, so that its sender is told under the number that it gave. */
function ackIdOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null || !("ackId" in value)) return undefined;
  return isAckId(value.ackId) ? value.ackId : undefined;
}

function toMessage(data: unknown, encoding: "base64" | undefined): Message | undefined {
  if (encoding === undefined) {
    if (typeof data === "string") return new Message(data, "text");
    try {
      return new Message(JSON.stringify(data), "json");
    } catch {
      // Nested deeper than the stack: V8 parses such a value, and cannot write it again.
      return undefined;
    }
  }
  const bytes = typeof data === "string" ? fromBase64(data) : undefined;
  return bytes === undefined ? undefined : new Message(bytes, "bytes");
}

/** A message, around who it is from and its data; and one of a text that stands as it is between its quotes. */
const MESSAGE = new Envelope('{"type":"message","from":"', '","data":', ',"sequenceId":', "}");
const TEXT_MESSAGE = new Envelope('{"type":"message","from":"', '","data":"', '","sequenceId":', "}");

/** Nearly all acks are these two. */
const DELIVERED = new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"delivered"}');
const QUEUED = new Envelope('{"type":"ack","ackId":', "", "", ',"outcome":"queued"}');

/** Text that JSON does not escape: neither control characters, `"` and `\`, nor what may be half of a surrogate pair. */
const UNESCAPED = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

function encodeMessage(from: string, room: string | undefined, { payload, kind }: Message): Frame {
  const address = room === undefined ? from : `${from}","room":"${room}`;
  if (kind === "bytes") {
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    return new Frame(`"${toBase64(bytes)}","encoding":"base64"`, false, MESSAGE, address);
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
    case "presence":
    case "ping":
    case "pong":
      return inJson(event);
    case "members":
    case "whoami":
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
