import { owned } from "../protocol/owned.ts";
import type { Session } from "../session/session.ts";

interface Room {
  /** A copy of its own: the name that came in a frame keeps the whole frame alive. */
  readonly name: string;
  readonly members: Set<Session>;
}

/** Who is in which room. A room is there while it has members. */
export class Rooms {
  readonly #rooms = new Map<string, Room>();

  get size(): number {
    return this.#rooms.size;
  }

  /** Makes the session a member. @returns The room's name, to keep. */
  join(name: string, session: Session): string {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = { name: owned(name), members: new Set() };
      this.#rooms.set(room.name, room);
    }
    room.members.add(session);
    return room.name;
  }

  /** Ends the membership; an empty room vanishes. `false` where there was none. */
  leave(name: string, session: Session): boolean {
    const members = this.#rooms.get(name)?.members;
    if (members === undefined || !members.delete(session)) return false;
    if (members.size === 0) this.#rooms.delete(name);
    return true;
  }

  /** The members in order of joining; `undefined` where the session is not one of them. */
  membersFor(name: string, session: Session): ReadonlySet<Session> | undefined {
    const members = this.#rooms.get(name)?.members;
    return members?.has(session) ? members : undefined;
  }

  /** The members in order of joining, seen from outside. */
  members(name: string): ReadonlySet<Session> {
    return this.#rooms.get(name)?.members ?? EMPTY;
  }
}

const EMPTY: ReadonlySet<Session> = new Set();
