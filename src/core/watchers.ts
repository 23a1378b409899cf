import type { Session } from "./session.ts";

/** Who watches which id. An id need not be anybody's to be watched. */
export class Watchers {
  readonly #watchers = new Map<string, Set<Session>>();

  watch(id: string, watcher: Session): void {
    const watchers = this.#watchers.get(id);
    if (watchers === undefined) this.#watchers.set(id, new Set([watcher]));
    else watchers.add(watcher);
  }

  unwatch(id: string, watcher: Session): void {
    const watchers = this.#watchers.get(id);
    if (watchers?.delete(watcher) && watchers.size === 0) this.#watchers.delete(id);
  }

  /** Who watches the id. */
  of(id: string): ReadonlySet<Session> {
    return this.#watchers.get(id) ?? NOBODY;
  }

  get size(): number {
    return this.#watchers.size;
  }
}

const NOBODY: ReadonlySet<Session> = new Set();
