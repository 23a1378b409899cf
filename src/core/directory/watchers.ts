import { owned } from "../protocol/owned.ts";
import type { Session } from "../session/session.ts";

interface Watched {
  /** A copy of its own: the id that came in a frame keeps the whole frame alive. */
  readonly id: string;
  readonly watchers: Set<Session>;
}

/** Who watches which id. An id need not be anybody's to be watched. */
export class Watchers {
  readonly #watchers = new Map<string, Watched>();

  /** Has the session told of the id. @returns The id, to keep. */
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

  /** Who watches the id. */
  of(id: string): ReadonlySet<Session> {
    return this.#watchers.get(id)?.watchers ?? NOBODY;
  }

  get size(): number {
    return this.#watchers.size;
  }
}

const NOBODY: ReadonlySet<Session> = new Set();
