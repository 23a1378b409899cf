import type { Ending } from "../link/ending.ts";
import type { Session } from "../session/session.ts";

interface Absence {
  readonly ending: Ending;
  readonly endsAtMs: number;
}

/** Sessions that have no connection, in the order in which they will have been away for too long; one timer ends them. */
export class AwaySessions {
  readonly #resumeMs: number;
  readonly #absences = new Map<Session, Absence>();
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param resumeMs Milliseconds that a session may be away. */
  constructor(resumeMs: number) {
    this.#resumeMs = resumeMs;
  }

  /** The session has lost its connection, by `ending`. */
  add(session: Session, ending: Ending): void {
    this.#absences.set(session, { ending, endsAtMs: performance.now() + this.#resumeMs });
    this.#timer ??= setTimeout(this.#endDue, this.#resumeMs);
  }

  /** The session is back, or over. @returns Whether it was away. */
  remove(session: Session): boolean {
    const wasAway = this.#absences.delete(session);
    if (this.#absences.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    return wasAway;
  }

  /** The session that has been away for longest. */
  get first(): Session | undefined {
    return this.#absences.keys().next().value;
  }

  /** Ends a session that is away, before its time. */
  end(session: Session): void {
    const absence = this.#absences.get(session);
    if (absence !== undefined) session.finish(absence.ending);
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#absences.keys();
  }

  readonly #endDue = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const [session, { ending, endsAtMs }] of this.#absences) {
      if (endsAtMs > now) {
        this.#timer = setTimeout(this.#endDue, endsAtMs - now);
        return;
      }
      session.finish(ending);
    }
  };
}
