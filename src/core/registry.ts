import type { Session } from "./session.ts";

/** Who has which id. */
export class Registry {
  readonly #sessions = new Map<string, Session>();
  #lastId = 0;

  /** The next id: 1, 2, 3 … in order of connecting, past those that somebody brought along. None is given twice. */
  nextId(): string {
    let id = String(++this.#lastId);
    while (this.#sessions.has(id)) id = String(++this.#lastId);
    return id;
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Frees the session's id, if it is still this session that has it. */
  remove(session: Session): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id);
  }

  get size(): number {
    return this.#sessions.size;
  }
}
