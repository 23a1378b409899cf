import type { Session } from "../session/session.ts";
import { RETURN_MS } from "./resume-tokens.ts";

/** How clients get their ids: numbers 1, 2, 3 … in order of connecting, or at random. */
export const ID_KINDS = ["sequential", "random"] as const;
export type IdKind = (typeof ID_KINDS)[number];

const RANDOM_BYTES = 16;

/** A number that a process with a mark of its own has given. */
const MARKED_NUMBER = /^[0-9a-f]{8}-[1-9]\d*$/;

/** Who has which id. */
export class Registry {
  readonly #sessions = new Map<string, Session>();
  readonly #kind: IdKind;
  readonly #prefix: string;
  readonly #startedAt = performance.now();
  #lastNumber = 0;
  #takesNames = false;

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

  /** Notes that clients bring ids of their own: any id may be somebody's. */
  takeNames(): void {
    this.#takesNames = true;
  }

  /**
   * Whether a client of an earlier process may still come back with the id, which nobody has now. Never for an id that
   * this process gave or would give.
   */
  mayReturn(id: string): boolean {
    if (performance.now() - this.#startedAt > RETURN_MS || (this.#prefix !== "" && id.startsWith(this.#prefix))) {
      return false;
    }
    if (this.#takesNames) return true;
    return this.#prefix !== "" && (this.#kind === "random" || MARKED_NUMBER.test(id));
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
