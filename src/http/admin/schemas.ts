import { z } from "zod";
import { isId } from "../../core/protocol/id.ts";

// The shapes of the admin API. The OpenAPI document is made of these, and each request is checked against them.

/** Longest prefix, and longest cursor, in characters. */
const MAX_QUERY_CHARACTERS = 200;

const idText = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9._~-]+$/)
  .refine(isId);

export const idPath = z.strictObject({ id: idText.meta({ description: "Id of a session" }) });
export const roomPath = z.strictObject({ room: idText.meta({ description: "Name of a room" }) });
export const memberPath = z.strictObject({ ...roomPath.shape, ...idPath.shape });

/** Selects a page of a list. */
export const pageQuery = z.strictObject({
  prefix: z.string().max(64).optional().meta({ description: "Only entries that begin with this text" }),
  limit: z.coerce.number().int().min(1).max(1000).optional().meta({ description: "Most entries of a page (100)" }),
  cursor: z.string().max(MAX_QUERY_CHARACTERS).optional().meta({ description: "The cursor of the page before" }),
});

export const sessionQuery = z.strictObject({
  ...pageQuery.shape,
  room: idText.optional().meta({ description: "Only members of this room" }),
});

const base64 = z.literal("base64").optional().meta({ description: "The data is base64 of bytes, to be sent as bytes" });

/** A value of JSON. Not `z.json()`, which checks it recursively: a deep one would overflow the stack. */
const data = z
  .unknown()
  .refine((value) => value !== undefined, "is missing")
  .meta({ description: "The message: a string is sent as text, any other value as JSON" });

export const sendBody = z.strictObject({ data, encoding: base64 }).meta({ id: "Send" });

export const publishBody = z
  .strictObject({
    data,
    encoding: base64,
    except: z.array(idText).max(1000).optional().meta({ description: "Members that do not get the message" }),
  })
  .meta({ id: "Publish" });

export const disconnectBody = z
  .strictObject({
    final: z.boolean().optional().meta({
      description: "Whether the session ends; otherwise its client may resume it. Default: by the code, or true",
    }),
    code: z
      .number()
      .int()
      .min(1000)
      .max(4999)
      .optional()
      .meta({ description: "Close code: 4000 to 4499 keep the session; 1000, 3000 to 3999 and 4500 to 4999 end it" }),
    reason: z
      .string()
      .max(123)
      .optional()
      .meta({ description: "Reason of the close frame, at most 123 bytes of UTF-8" }),
  })
  .meta({ id: "Disconnect" });

export const sendResult = z.strictObject({ outcome: z.enum(["delivered", "queued"]) }).meta({
  id: "SendResult",
  description: "delivered: handed to the open connection of the receiver. queued: kept in its mailbox",
});

export const publishResult = z
  .strictObject({ outcome: z.literal("delivered"), recipients: z.number().int() })
  .meta({ id: "PublishResult" });

export const doneResult = z.strictObject({ outcome: z.literal("done") }).meta({ id: "DoneResult" });

const milliseconds = z.number().meta({ description: "Milliseconds since 1970" });

export const session = z
  .strictObject({
    id: z.string(),
    protocol: z.string(),
    address: z.string().optional().meta({ description: "IP address of the client" }),
    since: milliseconds,
    state: z.enum(["online", "away"]),
    stateSince: milliseconds,
    rooms: z.array(z.string()),
    watches: z.number().int(),
    mailboxMessages: z.number().int(),
    mailboxBytes: z.number().int(),
    sendBufferBytes: z.number().int(),
    misses: z.number().int().meta({ description: "Beats in a row without a sign of life" }),
    data: z.unknown().optional().meta({ description: "What the app around the relay knows of the client" }),
  })
  .meta({ id: "Session" });

const cursor = z.string().optional().meta({ description: "Gets the next page; absent on the last one" });

export const sessionPage = z.strictObject({ sessions: z.array(session), cursor }).meta({ id: "SessionPage" });

export const roomPage = z
  .strictObject({
    rooms: z.array(z.strictObject({ room: z.string(), members: z.number().int() })),
    cursor,
  })
  .meta({ id: "RoomPage" });

export const memberList = z.strictObject({ members: z.array(z.string()) }).meta({ id: "MemberList" });

const counts = z.record(z.string(), z.number());

export const stats = z
  .strictObject({
    uptimeMs: z.number(),
    holdings: counts,
    away: z.number().int(),
    sessions: counts.meta({ description: "Sessions by protocol" }),
    limits: z.record(z.string(), z.number().nullable()).meta({ description: "Bounds; null is no bound" }),
    messages: z
      .record(z.string(), z.record(z.string(), z.union([z.number(), counts])))
      .meta({ description: "Counts by protocol, and of the server" }),
    closes: counts.meta({ description: "Ends of connections by close code" }),
    refusals: counts.meta({ description: "Refused handshakes by code" }),
  })
  .meta({ id: "Stats" });
