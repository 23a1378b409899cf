import type { SendError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { Message } from "./message.ts";

/** One frame of a client, decoded. If it has an `ackId`, the relay answers with an ack of this number. */
export type Command =
  | { readonly type: "send"; readonly to: string; readonly message: Message; readonly ackId: number | undefined }
  | {
      readonly type: "publish";
      readonly room: string;
      readonly message: Message;
      /** Whether the sender receives the message, too. */
      readonly echo: boolean;
      readonly ackId: number | undefined;
    }
  | { readonly type: "join" | "leave" | "members"; readonly room: string; readonly ackId: number | undefined }
  | { readonly type: "watch" | "unwatch"; readonly id: string; readonly ackId: number | undefined }
  | { readonly type: "sequenceAck"; readonly sequenceId: number }
  | { readonly type: "whoami" | "ping" | "pong" | "help" }
  | { readonly type: "refused"; readonly error: SendError; readonly ackId: number | undefined };

/** Outcome of one command. `original`: outcome of the earlier send that this one repeats. */
export type Outcome =
  | { readonly outcome: "delivered" | "queued"; readonly recipients?: number }
  | { readonly outcome: "done"; readonly members?: readonly string[] }
  | { readonly outcome: "failed"; readonly error: SendError; readonly original?: Outcome };

/** Returns the outcome of a command that failed with the error. */
export function failed(error: SendError): Outcome {
  return { outcome: "failed", error };
}

/** The first frame that the relay sends to a client. */
export interface Welcome {
  readonly type: "welcome";
  readonly id: string;
  /** Resumes the session once, within `resumeMs` of losing the connection. */
  readonly resumeToken: string;
  /** Whether the client continues the session that its token named. */
  readonly resumed: boolean;
  /** Whether the client receives every message that was sent to it while it was away. */
  readonly recovered: boolean;
  readonly heartbeatMs: number;
  readonly resumeMs: number;
  readonly limits: { readonly maxMessageBytes: number; readonly maxUnackedSends: number };
}

/** A frame of the relay to a client, other than a message, before it is encoded. */
export type RelayEvent =
  | Welcome
  /** Replaces the client's token. The token before stays valid until the next one is issued. */
  | { readonly type: "resumeToken"; readonly resumeToken: string }
  | { readonly type: "ack"; readonly ackId: number; readonly outcome: Outcome }
  | { readonly type: "error"; readonly error: SendError }
  | { readonly type: "members"; readonly room: string; readonly members: readonly string[] }
  | { readonly type: "whoami"; readonly id: string }
  | {
      readonly type: "presence";
      readonly id: string;
      /** Absent if the client watches the id. */
      readonly room: string | undefined;
      readonly event: "joined" | "left" | "online" | "offline";
    }
  | { readonly type: "ping" | "pong" | "help" };

/** Name of a protocol: `plain`, or the name of its WebSocket subprotocol. */
export type ProtocolName = "plain" | "relay.v1.text" | "relay.v1.json" | "relay.v1.json-bytes";

export const PROTOCOL_NAMES: readonly ProtocolName[] = [
  "plain",
  "relay.v1.text",
  "relay.v1.json",
  "relay.v1.json-bytes",
];

/** Decodes and encodes frames. Implementations keep no state and never throw, whatever the frame. */
export interface Protocol {
  /** Name of the WebSocket subprotocol; absent for the plain protocol. */
  readonly name: Exclude<ProtocolName, "plain"> | undefined;
  /** Whether messages are numbered, so that a session can be resumed. Encoded messages then have an envelope. */
  readonly numbersMessages: boolean;
  /** Decodes a client's frame. @returns The command `refused` if the frame is not valid. */
  decode(frame: Frame): Command;
  /**
   * Encodes a message. The frame is the same for all receivers of this protocol.
   *
   * @param from Id of the sender; `undefined` if the server sends it. No client can make a frame that looks like that.
   * @param room The room that the message was published in; absent if it was sent to an id.
   */
  encodeMessage(from: string | undefined, room: string | undefined, message: Message): Frame;
  /** Encodes any other frame of the relay. @returns `undefined` if this protocol does not have the event. */
  encode(event: RelayEvent): Frame | undefined;
}
