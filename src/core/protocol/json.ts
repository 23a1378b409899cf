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

/** Text that JSON does not escape: neither control characters, `"` and `\`, nor what may be half of a surrogate pair. */
const UNESCAPED = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

/** The text as a JSON string. */
function quoted(text: string): string {
  return UNESCAPED.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The fields of a message's `data`, as JSON text. */
function dataFields({ payload, kind }: Message): string {
  if (kind === "json") return `"data":${textOf(payload)}`;
  if (kind === "text") return `"data":${quoted(textOf(payload))}`;
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return `"data":"${toBase64(bytes)}","encoding":"base64"`;
}

/** An outcome's fields as they stand in an ack. */
function outcomeFields(outcome: Outcome): Record<string, unknown> {
  if (outcome.outcome !== "failed") return { ...outcome };
  const { code, message, temporary } = outcome.error;
  const original = outcome.original === undefined ? {} : { original: outcomeFields(outcome.original) };
  return { outcome: "failed", error: { code, message, temporary }, ...original };
}

function encodeEvent(event: RelayEvent): string | undefined {
  switch (event.type) {
    case "ack":
      // Most acks are these two: spelled without building an object.
      if (event.outcome.outcome === "delivered" && event.outcome.recipients === undefined) {
        return `{"type":"ack","ackId":${event.ackId},"outcome":"delivered"}`;
      }
      if (event.outcome.outcome === "queued") return `{"type":"ack","ackId":${event.ackId},"outcome":"queued"}`;
      return JSON.stringify({ type: "ack", ackId: event.ackId, ...outcomeFields(event.outcome) });
    case "error": {
      const { code, message, temporary } = event.error;
      return JSON.stringify({ type: "error", error: { code, message, temporary } });
    }
    case "welcome":
    case "presence":
    case "ping":
    case "pong":
      return JSON.stringify(event);
    case "members":
    case "whoami":
      return undefined;
  }
}

/** `relay.v1.json`, for programs: numbered messages, an outcome for each frame that asks for one. */
export const json: Protocol = {
  name: "relay.v1.json",
  number: (sequenceId) => `,"sequenceId":${sequenceId}}`,
  decode,
  encodeMessage(from, room, message) {
    const address = room === undefined ? `"from":"${from}"` : `"from":"${from}","room":"${room}"`;
    return new Frame(`{"type":"message",${address},${dataFields(message)}`, false);
  },
  encode(event) {
    const text = encodeEvent(event);
    return text === undefined ? undefined : new Frame(text, false);
  },
};
