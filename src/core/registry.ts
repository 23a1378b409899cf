import type { Session } from "./session.ts";

/** How clients get their ids: 1, 2, 3 … in order of connecting, or at random. */
export type IdKind = "sequential" | "random";

const RANDOM_BYTES = 16;

/** Who has which id. */
export class Registry {
  readonly #sessions = new Map<string, Session>();
  readonly #kind: IdKind;
  #lastId = 0;

  constructor(kind: IdKind = "sequential") {
    this.#kind = kind;
  }

  /** The next id, past those that somebody brought along. None is given twice; a random one cannot be guessed. */
  nextId(): string {
    if (this.#kind === "random") return randomId();
    let id = String(++this.#lastId);
    while (this.#sessions.has(id)) id = String(++this.#lastId);
    return id;
  }

  /** Has `nextId` go on after an id that was given by the process before this one. */
  passOver(id: string): void {
    if (/^[1-9]\d{0,14}$/.test(id)) this.#lastId = Math.max(this.#lastId, Number(id));
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
