import { owned } from "../protocol/owned.ts";
import type { Session } from "../session/session.ts";

interface Watched {
  /** An owned copy: an id that is cut from a frame keeps the whole frame in memory. */
  readonly id: string;
  readonly watchers: Set<Session>;
}

/** All watched ids of a relay with the sessions that watch them. An id may be watched before a session has it. */
export class Watchers {
  readonly #watchers = new Map<string, Watched>();

  /** Makes the session a watcher of the id. @returns An owned copy of the id, which the session may keep. */
  watch(id: string, watcher: Session): string {
    let watched = this.#watchers.get(id);
    if (watched === undefined) {
      watched = { id: owned(id), watchers: new Set() };
      this.#watchers.set(watched.id, watched);
    }
    watched.watchers.add(watcher);
    return watched.id;
  }

  unwatch(id: string, watcher: Session): void {
    const watchers = this.#watchers.get(id)?.watchers;
    if (watchers?.delete(watcher) && watchers.size === 0) this.#watchers.delete(id);
  }

  /** Returns the watchers of the id. */
  of(id: string): ReadonlySet<Session> {
    return this.#watchers.get(id)?.watchers ?? NOBODY;
  }

  /** Number of ids that are watched. */
  get size(): number {
    return this.#watchers.size;
  }
}

const NOBODY: ReadonlySet<Session> = new Set();
