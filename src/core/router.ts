import type { Presence } from "./directory/presence.ts";
import type { Registry } from "./directory/registry.ts";
import type { Rooms } from "./directory/rooms.ts";
import type { Watchers } from "./directory/watchers.ts";
import type { Limits } from "./link/limits.ts";
import { TokenBucket } from "./link/token-bucket.ts";
import {
  badId,
  duplicate,
  forbidden,
  internal,
  noSuchId,
  notGranted,
  notInRoom,
  overloaded,
  rateLimited,
  refusedByApp,
  type SendError,
  tooManyUnacked,
} from "./protocol/errors.ts";
import { type Frame, textOf } from "./protocol/frame.ts";
import { isId } from "./protocol/id.ts";
import { Message } from "./protocol/message.ts";
import type { Command, Outcome, Protocol } from "./protocol/protocol.ts";
import { isGranted } from "./session/grant.ts";
import type { Session } from "./session/session.ts";

/** One message on its way, as a hook sees it. */
export interface Passing {
  readonly from: string;
  /** The id that it is for; absent where it is published. */
  readonly to: string | undefined;
  /** The room that it is published in; absent where it is sent to an id. */
  readonly room: string | undefined;
  /** Text and JSON as a string, bytes as a Uint8Array. */
  readonly message: Message;
}

/** What the app around the relay may want to know or decide. What throws counts as a refusal, with the code `internal`. */
export interface RelayHooks {
  /** A message is about to be delivered. Return `false` to refuse it; its sender is told `forbidden`. */
  onMessage?(passing: Passing): boolean | undefined;
  /** A session has begun, with its first connection. */
  onOpen?(id: string): void;
  /** A session is over: its id, its rooms and its mailbox are gone. */
  onClose?(id: string): void;
}

export const HOOK_KINDS = { onMessage: "function", onOpen: "function", onClose: "function" } as const satisfies Record<
  keyof RelayHooks,
  "function"
>;

export interface RouterParts {
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly watchers: Watchers;
  readonly presence: Presence;
  readonly limits: Limits;
  readonly hooks: RelayHooks;
}

type Send = Extract<Command, { type: "send" }>;
type Publish = Extract<Command, { type: "publish" }>;
type RoomCommand = Extract<Command, { type: "join" | "leave" | "members" }>;
type WatchCommand = Extract<Command, { type: "watch" | "unwatch" }>;

/** Ids that one session may have listed in a second, in all its lists of members. */
const LISTED_IDS_PER_SECOND = 100_000;

const DONE: Outcome = { outcome: "done" };
const DELIVERED: Outcome = { outcome: "delivered" };
const QUEUED: Outcome = { outcome: "queued" };
const MEMBERS_PER_FRAME = 100;

/** Does what a session's client asks for, and tells it what became of it. */
export class Router {
  readonly #parts: RouterParts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  route(sender: Session, command: Command): void {
    switch (command.type) {
      case "send":
      case "publish":
        this.#sendOnce(sender, command);
        return;
      case "join":
      case "leave":
      case "members":
        sender.answer(command.ackId, this.#inRoom(sender, command));
        return;
      case "watch":
      case "unwatch":
        this.#watch(sender, command);
        return;
      case "refused":
        sender.answer(command.ackId, failed(command.error));
        return;
      case "whoami":
        sender.tell({ type: "whoami", id: sender.id });
        return;
      case "ping":
        sender.tell({ type: "pong" });
        return;
      case "help":
        sender.tell({ type: "help" });
        return;
      case "pong":
      case "sequenceAck":
        return;
    }
  }

  /**
   * As how many frames a command counts against its sender's rate: one, and one more for each 100 members of a room
   * that are told of a join or a leave, or listed. A publish is one, as it is what rooms are for.
   */
  weigh(sender: Session, command: Command): number {
    if (command.type !== "join" && command.type !== "leave" && command.type !== "members") return 1;
    const isMember = sender.rooms.has(command.room);
    if (isMember === (command.type === "join")) return 1;
    return 1 + Math.floor(this.#parts.rooms.members(command.room).size / MEMBERS_PER_FRAME);
  }

  /** Tells those who watch a session's id, and the other members of its rooms, that it has come or gone. */
  tellPresence(session: Session, change: "online" | "offline"): void {
    this.#parts.presence.change(session, undefined, change);
    for (const room of session.rooms) this.#parts.presence.change(session, room, change);
  }

  /** Takes the session out of the rooms that its grant no longer covers, and tells their members. @returns Those rooms. */
  leaveUngranted(session: Session): string[] {
    const left: string[] = [];
    for (const room of [...session.rooms]) {
      if (isGranted(session.grant.rooms, room)) continue;
      this.#parts.rooms.leave(room, session);
      session.rooms.delete(room);
      this.#parts.presence.change(session, room, "left");
      left.push(room);
    }
    return left;
  }

  /**
   * Ends all that the session is in and watches, and tells others.
   *
   * @param wasAway Whether those who watch its id were told already that it has no connection.
   */
  forget(session: Session, wasAway: boolean): void {
    const { presence } = this.#parts;
    for (const room of session.rooms) {
      this.#parts.rooms.leave(room, session);
      presence.change(session, room, "left");
    }
    if (!wasAway) presence.change(session, undefined, "offline");
    if (!session.isNamed) presence.forget(session.id);
    for (const id of session.watched) this.#parts.watchers.unwatch(id, session);
  }

  #sendOnce(sender: Session, command: Send | Publish): void {
    const { ackId } = command;
    const original = ackId === undefined ? undefined : sender.earlierOutcome(ackId, subjectOf(command));
    if (ackId !== undefined && original !== undefined) {
      sender.answer(ackId, { outcome: "failed", error: duplicate(ackId), original });
      return;
    }
    if (ackId !== undefined && sender.isFullOfAcks) {
      sender.answer(ackId, failed(tooManyUnacked()));
      return;
    }
    const outcome = command.type === "send" ? this.#send(sender, command) : this.#publish(sender, command);
    if (ackId !== undefined) sender.rememberOutcome(ackId, outcome);
    sender.answer(ackId, outcome);
  }

  #send(sender: Session, { to, message }: Send): Outcome {
    if (sender.grant.to !== undefined) {
      // Patterns are tried on ids alone: on a text of a megabyte they would take seconds.
      if (!isId(to)) return failed(badId(to));
      if (!isGranted(sender.grant.to, to)) return failed(notGranted(to));
    }
    const { registry } = this.#parts;
    const receiver = registry.find(to);
    if (receiver === undefined) return failed(isId(to) ? noSuchId(to, registry.mayReturn(to)) : badId(to));
    const refusal = this.#refusal(sender, receiver.id, undefined, message);
    if (refusal !== undefined) return failed(refusal);
    const delivery = receiver.deliver(receiver.protocol.encodeMessage(sender.id, undefined, message));
    if (delivery === "delivered") return DELIVERED;
    return delivery === "queued" ? QUEUED : failed(delivery);
  }

  #publish(sender: Session, { room, message, echo }: Publish): Outcome {
    if (!isId(room)) return failed(badId(room));
    if (!isGranted(sender.grant.rooms, room)) return failed(notGranted(room));
    const members = this.#parts.rooms.membersFor(room, sender);
    if (members === undefined) return failed(notInRoom(room));
    const refusal = this.#refusal(sender, undefined, room, message);
    if (refusal !== undefined) return failed(refusal);
    const bodies = new Map<Protocol, Frame>();
    let recipients = 0;
    for (const member of members) {
      if (member === sender && !echo) continue;
      const { protocol } = member;
      let body = bodies.get(protocol);
      if (body === undefined) {
        body = protocol.encodeMessage(sender.id, room, message);
        if (members.size > 2) body.share();
        bodies.set(protocol, body);
      }
      if (typeof member.deliver(body) === "string") recipients++;
      else member.lose();
    }
    return { outcome: "delivered", recipients };
  }

  #refusal(sender: Session, to: string | undefined, room: string | undefined, message: Message): SendError | undefined {
    const { onMessage } = this.#parts.hooks;
    if (onMessage === undefined) return undefined;
    try {
      const allowed: unknown = onMessage({ from: sender.id, to, room, message: asText(message) });
      if (allowed === false) return refusedByApp(to ?? room ?? "");
      if (typeof allowed !== "object" || allowed === null) return undefined;
      // Nothing waits for it here; a promise lets nothing through, and what it rejects with is reported, and harms nobody else.
      sender.reportRejection(allowed);
      throw new TypeError("Cannot ask onMessage: it returned a promise, and must decide at once");
    } catch (error) {
      sender.report(error);
      return internal();
    }
  }

  #inRoom(session: Session, { type, room }: RoomCommand): Outcome {
    if (!isId(room)) return failed(badId(room));
    const { rooms, limits, presence } = this.#parts;
    if (type === "join") {
      if (session.rooms.has(room)) return DONE;
      if (!isGranted(session.grant.rooms, room)) return failed(notGranted(room));
      if (session.rooms.size >= limits.maxRoomsPerSession) {
        return failed(forbidden(room, `a session is in ${limits.maxRoomsPerSession} rooms at most`));
      }
      if (!presence.allowsJoin(session, room)) return failed(rateLimited());
      if (!session.rooms.hasRoomFor(room, session.waitingSince)) return failed(overloaded(room));
      session.rooms.add(rooms.join(room, session));
      this.#tellSelf(session, room, "joined");
      presence.change(session, room, "joined");
      return DONE;
    }
    if (!session.rooms.has(room)) return failed(notInRoom(room));
    if (type === "leave") {
      rooms.leave(room, session);
      session.rooms.delete(room);
      this.#tellSelf(session, room, "left");
      presence.change(session, room, "left");
      return DONE;
    }
    if (!this.#allowsList(session, rooms.members(room).size)) return failed(rateLimited());
    const ids = presence.members(room, session);
    session.tell({ type: "members", room, members: ids });
    return { outcome: "done", members: ids };
  }

  /** Whether the session may have a list of as many ids now: a short command must not make the relay write long lists without end. */
  #allowsList(session: Session, ids: number): boolean {
    const now = performance.now();
    session.listings ??= new TokenBucket(LISTED_IDS_PER_SECOND, LISTED_IDS_PER_SECOND * 2, now);
    return session.listings.take(Math.min(ids, LISTED_IDS_PER_SECOND), now);
  }

  /** Tells a session of its own coming and going, where its protocol has no acks to tell it by. */
  #tellSelf(session: Session, room: string, event: "joined" | "left"): void {
    if (!session.canResume) session.tell({ type: "presence", id: session.id, room, event });
  }

  #watch(session: Session, { type, id, ackId }: WatchCommand): void {
    const { watchers, limits } = this.#parts;
    if (!isId(id)) {
      session.answer(ackId, failed(badId(id)));
    } else if (type === "unwatch") {
      watchers.unwatch(id, session);
      session.watched.delete(id);
      session.answer(ackId, DONE);
    } else if (!session.watched.has(id) && session.watched.size >= limits.maxWatchesPerSession) {
      session.answer(ackId, failed(forbidden(id, `a session watches ${limits.maxWatchesPerSession} ids at most`)));
    } else if (!session.watched.has(id) && !session.watched.hasRoomFor(id, session.waitingSince)) {
      session.answer(ackId, failed(overloaded(id)));
    } else {
      session.watched.add(watchers.watch(id, session));
      session.answer(ackId, DONE);
      this.#tellState(session, id);
    }
  }

  /** Tells the session what has become of those whom it watches: it may have missed that while it was away. */
  tellWatched(session: Session): void {
    for (const id of session.watched) this.#tellState(session, id);
  }

  #tellState(session: Session, id: string): void {
    const { presence, registry } = this.#parts;
    // What others were told: a change that they will be told of later is told to this session then.
    const told = id === session.id ? true : presence.isToldOnline(id);
    const event = (told ?? registry.find(id)?.isOnline) ? "online" : "offline";
    session.tell({ type: "presence", id, room: undefined, event });
  }
}

/** Text as a string, for who looks into it: some runtimes hand it over as the bytes that came. */
function asText(message: Message): Message {
  const { payload, kind } = message;
  return kind === "bytes" || typeof payload === "string" ? message : new Message(textOf(payload), kind);
}

/** What a send or a publish is addressed to. */
function subjectOf(command: Send | Publish): string {
  return command.type === "send" ? command.to : command.room;
}

function failed(error: SendError): Outcome {
  return { outcome: "failed", error };
}
