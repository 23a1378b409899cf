import * as z from "zod/mini";
import { ERROR_CODES } from "../errors.ts";

/** A number that the client gives a frame, to be told what became of it: 0 to 2^53 - 1. */
const ackId = z.optional(z.int().check(z.nonnegative()));
/** An id or a room; whether it can be one is checked where it is looked up. */
const name = z.string();
const encoding = z.optional(z.literal("base64"));

/** What may be sent: a JSON value, which must be there; with `encoding`, a string that is base64. */
const data = z.unknown().check(z.refine((value) => value !== undefined, "expected a value"));

const sendFrame = z.object({ type: z.literal("send"), to: name, data, encoding, ackId });
const publishFrame = z.object({
  type: z.literal("publish"),
  room: name,
  data,
  encoding,
  echo: z.optional(z.boolean()),
  ackId,
});
const roomFrame = z.object({ type: z.enum(["join", "leave", "members"]), room: name, ackId });
const watchFrame = z.object({ type: z.enum(["watch", "unwatch"]), id: name, ackId });
const sequenceAckFrame = z.object({ type: z.literal("sequenceAck"), sequenceId: z.int().check(z.nonnegative()) });
const bareFrame = z.object({ type: z.enum(["ping", "pong"]) });

/** Every frame that a client may send. Fields that are not named here are ignored. */
export const clientFrame = z.discriminatedUnion("type", [
  sendFrame,
  publishFrame,
  roomFrame,
  watchFrame,
  sequenceAckFrame,
  bareFrame,
]);

export type ClientFrame = z.infer<typeof clientFrame>;

const errorObject = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  temporary: z.boolean(),
});

const outcomeFields = {
  outcome: z.enum(["delivered", "queued", "done", "failed"]),
  recipients: z.optional(z.int()),
  members: z.optional(z.array(z.string())),
  error: z.optional(errorObject),
};

/** Every frame that the relay sends. */
export const relayFrame = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("welcome"),
    id: name,
    resumeToken: z.string(),
    resumed: z.boolean(),
    recovered: z.boolean(),
    heartbeatMs: z.number(),
    resumeMs: z.number(),
    limits: z.object({ maxMessageBytes: z.number(), maxUnackedSends: z.number() }),
  }),
  z.object({ type: z.literal("resumeToken"), resumeToken: z.string() }),
  z.object({
    type: z.literal("message"),
    from: name,
    room: z.optional(name),
    data: z.unknown(),
    encoding,
    sequenceId: z.int(),
  }),
  z.object({
    type: z.literal("ack"),
    ackId: z.int(),
    ...outcomeFields,
    original: z.optional(z.object(outcomeFields)),
  }),
  z.object({ type: z.literal("error"), error: errorObject }),
  z.object({
    type: z.literal("presence"),
    id: name,
    room: z.optional(name),
    event: z.enum(["joined", "left", "online", "offline"]),
  }),
  bareFrame,
]);

export type RelayFrame = z.infer<typeof relayFrame>;
