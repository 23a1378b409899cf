import * as z from "zod/mini";
import { ERROR_CODES } from "./errors.ts";

const COUNT = "expected a whole number from 0 to 2^53 - 1";
const count = z.int(COUNT).check(z.nonnegative(COUNT));
/** A number that the client gives to a frame, and that its ack repeats. */
const ackId = z.optional(count);
/** An id or a room's name. The router checks whether it is valid. */
const name = z.string("expected a string");
const encoding = z.optional(z.literal("base64", 'expected "base64"'));

/** Data of a message: any JSON value, required. With `encoding` it is a string in base64, which the decoder checks. */
const data = z.unknown().check(z.refine((value) => value !== undefined, "expected a value"));

const ROOM_TYPES = ["join", "leave", "members"] as const;
const WATCH_TYPES = ["watch", "unwatch"] as const;
const BARE_TYPES = ["ping", "pong"] as const;
const TYPES = ["send", "publish", ...ROOM_TYPES, ...WATCH_TYPES, "sequenceAck", ...BARE_TYPES];

const sendFrame = z.object({ type: z.literal("send"), to: name, data, encoding, ackId });
const publishFrame = z.object({
  type: z.literal("publish"),
  room: name,
  data,
  encoding,
  echo: z.optional(z.boolean("expected true or false")),
  ackId,
});
const roomFrame = z.object({ type: z.enum(ROOM_TYPES), room: name, ackId });
const watchFrame = z.object({ type: z.enum(WATCH_TYPES), id: name, ackId });
const sequenceAckFrame = z.object({ type: z.literal("sequenceAck"), sequenceId: count });
const bareFrame = z.object({ type: z.enum(BARE_TYPES) });

/** Every frame that a client may send. Fields that are not named here are ignored. */
export const clientFrame = z.discriminatedUnion(
  "type",
  [sendFrame, publishFrame, roomFrame, watchFrame, sequenceAckFrame, bareFrame],
  `expected one of ${TYPES.join(", ")}`,
);

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
    from: z.optional(name),
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
