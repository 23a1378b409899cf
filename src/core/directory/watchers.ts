import { owned } from "../protocol/owned.ts";
import type { Session } from "../session/session.ts";

interface WatchedId {
  /** An owned copy: an id that is cut from a frame keeps the whole frame in memory. */
  readonly id: string;
  readonly watchers: Set<Session>;
}

/** All watched ids of a relay with the sessions that watch them. An id may be watched before a session has it. */
export class Watchers {
  readonly #watchedIds = new Map<string, WatchedId>();

  /** Makes the session a watcher of the id. @returns An owned copy of the id, which the session may keep. */
  watch(id: string, session: Session): string {
    let entry = this.#watchedIds.get(id);
    if (entry === undefined) {
      entry = { id: owned(id), watchers: new Set() };
      this.#watchedIds.set(entry.id, entry);
    }
    entry.watchers.add(session);
    return entry.id;
  }

  unwatch(id: string, session: Session): void {
    const watchers = this.#watchedIds.get(id)?.watchers;
    if (watchers?.delete(session) && watchers.size === 0) this.#watchedIds.delete(id);
  }

  /** Returns the watchers of the id. */
  of(id: string): ReadonlySet<Session> {
    return this.#watchedIds.get(id)?.watchers ?? NOBODY;
  }

  /** Number of ids that are watched. */
  get size(): number {
    return this.#watchedIds.size;
  }
}

const NOBODY: ReadonlySet<Session> = new Set();
