import type { SendError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { Message } from "./message.ts";

/** What a client asks of the relay with one frame. `ackId`: it wants to be told the outcome under this number. */
export type Command =
  | { readonly type: "send"; readonly to: string; readonly message: Message; readonly ackId: number | undefined }
  | {
      readonly type: "publish";
      readonly room: string;
      readonly message: Message;
      /** Whether the sender gets it too. */
      readonly echo: boolean;
      readonly ackId: number | undefined;
    }
  | { readonly type: "join" | "leave" | "members"; readonly room: string; readonly ackId: number | undefined }
  | { readonly type: "watch" | "unwatch"; readonly id: string; readonly ackId: number | undefined }
  | { readonly type: "sequenceAck"; readonly sequenceId: number }
  | { readonly type: "whoami" | "ping" | "pong" | "help" }
  | { readonly type: "refused"; readonly error: SendError; readonly ackId: number | undefined };

/** What became of one command. */
export type Outcome =
  | { readonly outcome: "delivered" | "queued"; readonly recipients?: number }
  | { readonly outcome: "done"; readonly members?: readonly string[] }
  | { readonly outcome: "failed"; readonly error: SendError; readonly original?: Outcome };

/** The outcome of a command that failed. */
export function failed(error: SendError): Outcome {
  return { outcome: "failed", error };
}

/** What a client is told first. */
export interface Welcome {
  readonly type: "welcome";
  readonly id: string;
  /** Good for one resume, within `resumeMs` of losing the connection. */
  readonly resumeToken: string;
  /** Whether this is the session that the token of the handshake stood for. */
  readonly resumed: boolean;
  /** Whether everything that was sent to the session while it was away is here or follows. */
  readonly recovered: boolean;
  readonly heartbeatMs: number;
  readonly resumeMs: number;
  readonly limits: { readonly maxMessageBytes: number; readonly maxUnackedSends: number };
}

/** What the relay tells a client by itself, other than messages. */
export type RelayEvent =
  | Welcome
  /** A new token in place of the one that the client has, which stays good until the next. */
  | { readonly type: "resumeToken"; readonly resumeToken: string }
  | { readonly type: "ack"; readonly ackId: number; readonly outcome: Outcome }
  | { readonly type: "error"; readonly error: SendError }
  | { readonly type: "members"; readonly room: string; readonly members: readonly string[] }
  | { readonly type: "whoami"; readonly id: string }
  | {
      readonly type: "presence";
      readonly id: string;
      /** Absent where the id itself is watched. */
      readonly room: string | undefined;
      readonly event: "joined" | "left" | "online" | "offline";
    }
  | { readonly type: "ping" | "pong" | "help" };

/** How frames spell messages. Pure: the same frame always reads the same, and no input makes it throw. */
export interface Protocol {
  /** Its name as a WebSocket subprotocol; none for the classic. */
  readonly name: string | undefined;
  /** Whether its messages are numbered, so that a session can be resumed: then a delivery has an envelope. */
  readonly numbersMessages: boolean;
  decode(frame: Frame): Command;
  /** A delivery, the same for all receivers that speak this protocol. `room` where it was published there. */
  encodeMessage(from: string, room: string | undefined, message: Message): Frame;
  /** Anything else; `undefined` where this protocol has no words for it. */
  encode(event: RelayEvent): Frame | undefined;
}
