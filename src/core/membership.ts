import type { Presence } from "./directory/presence.ts";
import type { Registry } from "./directory/registry.ts";
import type { Rooms } from "./directory/rooms.ts";
import type { Watchers } from "./directory/watchers.ts";
import type { Limits } from "./link/limits.ts";
import { TokenBucket } from "./link/token-bucket.ts";
import { badId, forbidden, notGranted, notInRoom, overloaded, rateLimited } from "./protocol/errors.ts";
import { isId } from "./protocol/id.ts";
import { type Command, failed, type Outcome } from "./protocol/protocol.ts";
import { isGranted } from "./session/grant.ts";
import type { Session } from "./session/session.ts";

export interface MembershipParts {
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly watchers: Watchers;
  readonly presence: Presence;
  readonly limits: Limits;
}

export type RoomCommand = Extract<Command, { type: "join" | "leave" | "members" }>;
export type WatchCommand = Extract<Command, { type: "watch" | "unwatch" }>;

/** Ids that one session may have listed in a second, in all its lists of members. */
const LISTED_IDS_PER_SECOND = 100_000;

const MEMBERS_PER_FRAME = 100;

const DONE: Outcome = { outcome: "done" };

/** The rooms that sessions are in and the ids that they watch: carries out commands on them, and tells others of changes. */
export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
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

  /** Carries out a command on a room. @returns Its outcome. */
  inRoom(session: Session, { type, room }: RoomCommand): Outcome {
    if (!isId(room)) return failed(badId(room));
    if (type === "join") return this.#join(session, room);
    if (!session.rooms.has(room)) return failed(notInRoom(room));
    if (type === "members") return this.#list(session, room);
    this.#leave(session, room);
    this.#tellSelf(session, room, "left");
    this.#parts.presence.change(session, room, "left");
    return DONE;
  }

  #join(session: Session, room: string): Outcome {
    const { rooms, limits, presence } = this.#parts;
    if (session.rooms.has(room)) return DONE;
    if (!isGranted(session.grant.rooms, room)) return failed(notGranted(room));
    if (session.rooms.size >= limits.maxRoomsPerSession) {
      return failed(forbidden(room, `a session is in ${limits.maxRoomsPerSession} rooms at most`));
    }
    if (!presence.allowsJoin(session, room)) return failed(rateLimited());
    if (!session.rooms.makeRoomFor(room, session.waitingSince)) return failed(overloaded(room));
    session.rooms.add(rooms.join(room, session));
    this.#tellSelf(session, room, "joined");
    presence.change(session, room, "joined");
    return DONE;
  }

  #leave(session: Session, room: string): void {
    this.#parts.rooms.leave(room, session);
    session.rooms.delete(room);
  }

  #list(session: Session, room: string): Outcome {
    const { rooms, presence } = this.#parts;
    if (!this.#allowsList(session, rooms.members(room).size)) return failed(rateLimited());
    const ids = presence.members(room, session);
    session.tell({ type: "members", room, members: ids });
    return { outcome: "done", members: ids };
  }

  /** Whether the session may have a list of as many ids now: a short command must not make the relay write long lists without end. */
  #allowsList(session: Session, ids: number): boolean {
    const now = performance.now();
    session.memberListBucket ??= new TokenBucket(LISTED_IDS_PER_SECOND, LISTED_IDS_PER_SECOND * 2, now);
    return session.memberListBucket.take(Math.min(ids, LISTED_IDS_PER_SECOND), now);
  }

  /** Tells a session of its own coming and going, where its protocol has no acks to tell it by. */
  #tellSelf(session: Session, room: string, event: "joined" | "left"): void {
    if (!session.canResume) session.tell({ type: "presence", id: session.id, room, event });
  }

  /** Begins or ends watching an id, and answers the command. */
  watch(session: Session, { type, id, ackId }: WatchCommand): void {
    const { watchers, limits } = this.#parts;
    if (!isId(id)) {
      session.answer(ackId, failed(badId(id)));
    } else if (type === "unwatch") {
      watchers.unwatch(id, session);
      session.watched.delete(id);
      session.answer(ackId, DONE);
    } else if (!session.watched.has(id) && session.watched.size >= limits.maxWatchesPerSession) {
      session.answer(ackId, failed(forbidden(id, `a session watches ${limits.maxWatchesPerSession} ids at most`)));
    } else if (!session.watched.has(id) && !session.watched.makeRoomFor(id, session.waitingSince)) {
      session.answer(ackId, failed(overloaded(id)));
    } else {
      session.watched.add(watchers.watch(id, session));
      session.answer(ackId, DONE);
      this.#tellState(session, id);
    }
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
      this.#leave(session, room);
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
