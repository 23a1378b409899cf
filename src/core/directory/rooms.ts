import { owned } from "../protocol/owned.ts";
import type { Session } from "../session/session.ts";

/** One room. */
export interface Room {
  /** An owned copy: a name that is cut from a frame keeps the whole frame in memory. */
  readonly name: string;
  /** Number of the room in the order of creation. */
  readonly serial: number;
  readonly members: Set<Session>;
}

/** All rooms of a relay with their members. A room exists while it has members. */
export class Rooms {
  readonly #rooms = new Map<string, Room>();
  #lastSerial = 0;

  /** Number of rooms. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Adds the session to the room. @returns An owned copy of the room's name, which the session may keep. */
  join(name: string, session: Session): string {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = { name: owned(name), serial: ++this.#lastSerial, members: new Set() };
      this.#rooms.set(room.name, room);
    }
    room.members.add(session);
    return room.name;
  }

  /** Removes the session from the room, and the room if it is empty. @returns Whether the session was a member. */
  leave(name: string, session: Session): boolean {
    const members = this.#rooms.get(name)?.members;
    if (members === undefined || !members.delete(session)) return false;
    if (members.size === 0) this.#rooms.delete(name);
    return true;
  }

  /** Returns the members in order of joining; `undefined` if the session is not one of them. */
  membersFor(name: string, session: Session): ReadonlySet<Session> | undefined {
    const members = this.#rooms.get(name)?.members;
    return members?.has(session) ? members : undefined;
  }

  /** Iterates over the rooms in the order of their serial numbers. */
  [Symbol.iterator](): IterableIterator<Room> {
    return this.#rooms.values();
  }

  /** Returns the members in order of joining; an empty set if there is no such room. */
  members(name: string): ReadonlySet<Session> {
    return this.#rooms.get(name)?.members ?? EMPTY;
  }
}

const EMPTY: ReadonlySet<Session> = new Set();
