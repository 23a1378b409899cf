import type { Session } from "./session.ts";

/** Who is in which room. A room is there while it has members. */
export class Rooms {
  readonly #rooms = new Map<string, Set<Session>>();

  get size(): number {
    return this.#rooms.size;
  }

  /** Makes the session a member; `false` where it was one. */
  join(name: string, session: Session): boolean {
    const members = this.#rooms.get(name);
    if (members === undefined) {
      this.#rooms.set(name, new Set([session]));
      return true;
    }
    if (members.has(session)) return false;
    members.add(session);
    return true;
  }

  /** Ends the membership; an empty room vanishes. `false` where there was none. */
  leave(name: string, session: Session): boolean {
    const members = this.#rooms.get(name);
    if (members === undefined || !members.delete(session)) return false;
    if (members.size === 0) this.#rooms.delete(name);
    return true;
  }

  /** The members in order of joining; `undefined` where the session is not one of them. */
  membersFor(name: string, session: Session): ReadonlySet<Session> | undefined {
    const members = this.#rooms.get(name);
    return members?.has(session) ? members : undefined;
  }

  /** The members in order of joining, seen from outside. */
  members(name: string): ReadonlySet<Session> {
    return this.#rooms.get(name) ?? EMPTY;
  }
}

const EMPTY: ReadonlySet<Session> = new Set();
