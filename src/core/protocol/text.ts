import { payloadFrom, readAddress } from "./address.ts";
import { badFrame } from "./errors.ts";
import { addPrefix, Frame, toText } from "./frame.ts";
import { MAX_ID_LENGTH } from "./id.ts";
import { Message } from "./message.ts";
import { printable } from "./printable.ts";
import type { Command, Protocol, RelayEvent } from "./protocol.ts";

const ROOM_COMMANDS = { join: "join", leave: "leave", who: "members" } as const;
const BARE_COMMANDS = ["whoami", "ping", "help"] as const;
const NO_MESSAGE = "it is not id:message, #room:message or a command; :help lists the commands";
const NO_COMMAND = "there is no such command; :help lists the commands";
const HELP = ":help id:message, #room:message, :join room, :leave room, :who room, :whoami, :ping, :help";

function decode(frame: Frame): Command {
  const { payload, binary } = frame;
  const address = readAddress(payload, MAX_ID_LENGTH + 1);
  if (address === undefined) return undecodable(NO_MESSAGE);
  const { text, messageStart } = address;
  if (text === "") {
    return binary ? undecodable("a command is a text frame") : readCommand(toText(payloadFrom(payload, messageStart)));
  }
  const message = new Message(payloadFrom(payload, messageStart), binary ? "bytes" : "text");
  if (!text.startsWith("#")) return { type: "send", to: text, message, ackId: undefined };
  return { type: "publish", room: text.slice(1), message, echo: false, ackId: undefined };
}

/** Reads a command to the relay, without its colon. White space at the end is ignored: terminal programs leave some. */
function readCommand(text: string): Command {
  // Split at the first space only: a frame may be a megabyte of spaces.
  const line = text.trimEnd();
  const space = line.indexOf(" ");
  const name = space < 0 ? line : line.slice(0, space);
  const room = space < 0 ? undefined : line.slice(space + 1);
  for (const bare of BARE_COMMANDS) {
    if (name === bare) return room === undefined ? { type: bare } : undecodable(`:${bare} takes nothing after it`);
  }
  for (const [word, type] of Object.entries(ROOM_COMMANDS)) {
    if (name !== word) continue;
    if (room === undefined) return undecodable(`:${word} needs a room`);
    return room.includes(" ") ? undecodable("a room's name has no spaces") : { type, room, ackId: undefined };
  }
  return undecodable(NO_COMMAND);
}

function undecodable(reason: string): Command {
  return { type: "refused", error: badFrame(reason), ackId: undefined };
}

function encodeLine(event: RelayEvent): string | undefined {
  switch (event.type) {
    case "welcome":
      return `:welcome ${event.id}`;
    case "whoami":
      return `:whoami ${event.id}`;
    case "error":
      return `:error ${event.error.code} ${event.error.subject ?? event.error.message}`;
    case "members":
      return [":who", event.room, ...event.members].join(" ");
    case "presence":
      return event.room === undefined ? `:${event.event} ${event.id}` : `:${event.event} ${event.id} ${event.room}`;
    case "pong":
      return ":pong";
    case "help":
      return HELP;
    case "resumeToken":
    case "ping":
    case "ack":
      return undefined;
  }
}

/** `relay.v1.text`, for people at a terminal: messages out as `sender:message`, and lines of the relay as `:word`. */
export const text: Protocol = {
  name: "relay.v1.text",
  numbersMessages: false,
  decode,
  encodeMessage(from, room, { payload, kind }) {
    const sender = room === undefined ? (from ?? ":server") : `${from ?? ":server"}#${room}`;
    const address = from === undefined ? `${sender} ` : `${sender}:`;
    const isBytes = kind === "bytes";
    return new Frame(addPrefix(address, isBytes ? payload : printable(payload)), isBytes);
  },
  encode(event) {
    const line = encodeLine(event);
    return line === undefined ? undefined : new Frame(line, false);
  },
};
