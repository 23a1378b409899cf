import type { Presence } from "./directory/presence.ts";
import type { Registry } from "./directory/registry.ts";
import type { Rooms } from "./directory/rooms.ts";
import type { Watchers } from "./directory/watchers.ts";
import type { Hooks } from "./hooks.ts";
import type { Limits } from "./link/limits.ts";
import { TokenBucket } from "./link/token-bucket.ts";
import { badId, forbidden, notGranted, notInRoom, notMember, overloaded, rateLimited } from "./protocol/errors.ts";
import { isId } from "./protocol/id.ts";
import { owned } from "./protocol/owned.ts";
import { type Command, failed, type Outcome } from "./protocol/protocol.ts";
import type { RelayObserver } from "./session/observer.ts";
import type { Session } from "./session/session.ts";

export interface MembershipParts {
  readonly hooks: Hooks;
  readonly observer: RelayObserver;
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly watchers: Watchers;
  readonly presence: Presence;
  readonly limits: Limits;
}

export type RoomCommand = Extract<Command, { type: "join" | "leave" | "members" }>;
export type WatchCommand = Extract<Command, { type: "watch" | "unwatch" }>;

/** Ids per second that are listed to one session, in all its lists of members. */
const LISTED_IDS_PER_SECOND = 100_000;

/** Members of a room whose notification, or listing, counts as one frame of the client that causes it. */
const MEMBERS_PER_FRAME = 100;

const DONE: Outcome = { outcome: "done" };

/** Carries out commands on rooms and watches, and announces the changes to other sessions. */
export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /**
   * Returns the number of frames that a command counts as against its sender's rate: one, and one more for each 100
   * members that a join or a leave is announced to, or that are listed. A publish counts as one, whatever its audience.
   */
  weigh(sender: Session, command: Command): number {
    if (command.type !== "join" && command.type !== "leave" && command.type !== "members") return 1;
    const isMember = sender.rooms.has(command.room);
    if (isMember === (command.type === "join")) return 1;
    return 1 + Math.floor(this.#parts.rooms.members(command.room).size / MEMBERS_PER_FRAME);
  }

  /** Carries out a command on a room, and returns its outcome. */
  runRoomCommand(session: Session, { type, room }: RoomCommand): Outcome {
    if (!isId(room)) return failed(badId(room));
    if (type === "join") return this.#join(session, room);
    if (!session.rooms.has(room)) return failed(notInRoom(room));
    if (type === "members") return this.#list(session, room);
    this.#leave(session, room);
    this.#tellSelf(session, room, "left");
    return DONE;
  }

  /** Puts a session into a room for the server, whatever the client's grant, and tells the client. */
  joinForServer(session: Session, room: string): Outcome {
    const wasMember = session.rooms.has(room);
    const outcome = wasMember ? DONE : this.#enter(session, room);
    if (outcome.outcome !== "done") return outcome;
    session.serverRooms.entered.add(room);
    session.serverRooms.left.delete(room);
    if (wasMember) return outcome;
    if (!session.isOnline) this.#parts.presence.announce(session, room, "offline");
    session.tellOrClose({ type: "presence", id: session.id, room, event: "joined" });
    return outcome;
  }

  /** Takes a session out of a room for the server, and tells the client. */
  leaveForServer(session: Session, room: string): Outcome {
    if (!session.rooms.has(room)) return failed(notMember(session.id, room));
    this.#leave(session, room);
    if (session.tellOrClose({ type: "presence", id: session.id, room, event: "left" })) return DONE;
    const { left } = session.serverRooms;
    if (left.size < this.#parts.limits.maxRoomsPerSession) left.add(owned(room));
    return DONE;
  }

  #join(session: Session, room: string): Outcome {
    if (session.rooms.has(room)) return DONE;
    if (!session.mayUse(room)) return failed(notGranted(room));
    const outcome = this.#enter(session, room);
    if (outcome.outcome === "done") this.#tellSelf(session, room, "joined");
    return outcome;
  }

  /** Puts a session into a room, and announces that to the other members. */
  #enter(session: Session, room: string): Outcome {
    const { rooms, limits, presence, hooks, observer } = this.#parts;
    if (session.rooms.size >= limits.maxRoomsPerSession) {
      return failed(forbidden(room, `a session is in ${limits.maxRoomsPerSession} rooms at most`));
    }
    if (!presence.allowsJoin(session, room)) return failed(rateLimited());
    if (!session.rooms.makeRoomFor(room, session.waitingSince)) return failed(overloaded(room));
    session.rooms.add(rooms.join(room, session));
    presence.announce(session, room, "joined");
    if (rooms.members(room).size === 1) observer.occupied?.(room, session.id);
    hooks.onJoin(session, room);
    return DONE;
  }

  /** Takes a session out of a room, and announces that to the other members. */
  #leave(session: Session, room: string): void {
    session.forgetRoom(room);
    this.#announceLeave(session, room);
  }

  #announceLeave(session: Session, room: string): void {
    const { rooms, presence, hooks, observer } = this.#parts;
    rooms.leave(room, session);
    presence.announce(session, room, "left");
    if (rooms.members(room).size === 0) observer.emptied?.(room, session.id);
    hooks.onLeave(session, room);
  }

  #list(session: Session, room: string): Outcome {
    const { rooms, presence } = this.#parts;
    if (!this.#allowsList(session, rooms.members(room).size)) return failed(rateLimited());
    const ids = presence.members(room, session);
    session.tell({ type: "members", room, members: ids });
    return { outcome: "done", members: ids };
  }

  /**
   * Whether a list of this many ids may be sent to the session now. Otherwise short commands could cause endless lists.
   */
  #allowsList(session: Session, ids: number): boolean {
    const now = performance.now();
    session.memberListBucket ??= new TokenBucket(LISTED_IDS_PER_SECOND, LISTED_IDS_PER_SECOND * 2, now);
    return session.memberListBucket.take(Math.min(ids, LISTED_IDS_PER_SECOND), now);
  }

  /** Confirms a join or a leave to the session itself, if its protocol has no acks for that. */
  #tellSelf(session: Session, room: string, event: "joined" | "left"): void {
    if (!session.canResume) session.tell({ type: "presence", id: session.id, room, event });
  }

  /** Starts or stops watching an id, and answers the command. */
  runWatchCommand(session: Session, { type, id, ackId }: WatchCommand): void {
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

  /**
   * Announces to the watchers of a session's id, and to the members of its rooms, that it got or lost its connection.
   */
  announcePresence(session: Session, change: "online" | "offline"): void {
    this.#parts.presence.announce(session, undefined, change);
    for (const room of session.roomNames) this.#parts.presence.announce(session, room, change);
  }

  /** Removes the session from the rooms that its grant does not cover, and announces that. @returns Those rooms. */
  leaveUngranted(session: Session): string[] {
    const leftRooms: string[] = [];
    for (const room of [...session.roomNames]) {
      if (session.mayUse(room)) continue;
      this.#leave(session, room);
      leftRooms.push(room);
    }
    return leftRooms;
  }

  /**
   * Removes a session that has ended from its rooms and watches, and announces that.
   *
   * @param wasAway Whether it had no connection before, so that the watchers of its id know that it is offline.
   */
  removeEnded(session: Session, wasAway: boolean): void {
    const { presence } = this.#parts;
    for (const room of session.roomNames) {
      this.#announceLeave(session, room);
    }
    if (!wasAway) presence.announce(session, undefined, "offline");
    if (!session.isNamed) presence.forget(session.id);
    for (const id of session.watchedIds) this.#parts.watchers.unwatch(id, session);
  }

  /** Tells the session which rooms the server put it into, and which it took it out of while it was away. */
  tellServerRooms(session: Session): void {
    if (!session.hasServerRooms) return;
    const { entered, left } = session.serverRooms;
    for (const room of entered) session.tellUnchecked({ type: "presence", id: session.id, room, event: "joined" });
    for (const room of [...left]) {
      session.tellUnchecked({ type: "presence", id: session.id, room, event: "left" });
      left.delete(room);
    }
  }

  /** Tells the session the state of each id that it watches: it may have missed changes while it was away. */
  tellWatched(session: Session): void {
    for (const id of session.watchedIds) this.#tellState(session, id);
  }

  #tellState(session: Session, id: string): void {
    const { presence, registry } = this.#parts;
    // The announced state, not the present one: a change that is still pending will be announced to this session, too.
    const isAnnounced = id === session.id ? true : presence.isAnnouncedOnline(id);
    const event = (isAnnounced ?? registry.find(id)?.isOnline) ? "online" : "offline";
    session.tell({ type: "presence", id, room: undefined, event });
  }
}
