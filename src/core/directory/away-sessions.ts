import type { Ending } from "../link/ending.ts";
import type { Session } from "../session/session.ts";

interface Absence {
  readonly ending: Ending;
  readonly endsAtMs: number;
}

/** Sessions without a connection, in the order in which their time ends. One timer ends those whose time is over. */
export class AwaySessions {
  readonly #resumeMs: number;
  readonly #absences = new Map<Session, Absence>();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param resumeMs Time that a session may be away, in milliseconds. */
  constructor(resumeMs: number) {
    this.#resumeMs = resumeMs;
  }

  /** Adds a session that lost its connection. @param ending How the connection ended. */
  add(session: Session, ending: Ending): void {
    this.#absences.set(session, { ending, endsAtMs: performance.now() + this.#resumeMs });
    this.#timer ??= setTimeout(this.#endOverdue, this.#resumeMs);
  }

  /** Removes a session that was resumed or has ended. @returns Whether it was away. */
  remove(session: Session): boolean {
    const wasAway = this.#absences.delete(session);
    if (this.#absences.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    return wasAway;
  }

  /** Returns the time since which the session is away, by `performance.now()`; `undefined` if it is not. */
  since(session: Session): number | undefined {
    const absence = this.#absences.get(session);
    return absence && absence.endsAtMs - this.#resumeMs;
  }

  get size(): number {
    return this.#absences.size;
  }

  /** The session that has been away longest; `undefined` if none is away. */
  get longestAway(): Session | undefined {
    return this.#absences.keys().next().value;
  }

  /** Ends a session that is away, before its time is over. */
  endEarly(session: Session): void {
    const absence = this.#absences.get(session);
    if (absence !== undefined) session.finish(absence.ending);
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#absences.keys();
  }

  readonly #endOverdue = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const [session, { ending, endsAtMs }] of this.#absences) {
      if (endsAtMs > now) {
        this.#timer = setTimeout(this.#endOverdue, endsAtMs - now);
        return;
      }
      session.finish(ending);
    }
  };
}
