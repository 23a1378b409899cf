import type { Session } from "./session.ts";

/** How clients get their ids: numbers 1, 2, 3 … in order of connecting, or at random. */
export type IdKind = "sequential" | "random";

const RANDOM_BYTES = 16;

/** Who has which id. */
export class Registry {
  readonly #sessions = new Map<string, Session>();
  readonly #kind: IdKind;
  readonly #prefix: string;
  #lastNumber = 0;

  /** @param prefix Stands before each number. */
  constructor(kind: IdKind = "sequential", prefix = "") {
    this.#kind = kind;
    this.#prefix = prefix;
  }

  /** The next id, past those that somebody brought along. None is given twice; a random one cannot be guessed. */
  nextId(): string {
    if (this.#kind === "random") return randomId();
    let id: string;
    do id = `${this.#prefix}${++this.#lastNumber}`;
    while (this.#sessions.has(id));
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

  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.values();
  }
}

/** 128 random bits in the characters of an id. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
