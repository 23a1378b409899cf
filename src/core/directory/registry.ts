import { Slots } from "../link/slots.ts";
import type { Session } from "../session/session.ts";
import { RETURN_MS } from "./resume-tokens.ts";

/** Kinds of ids that the relay gives: numbers 1, 2, 3 … in order of connecting, or random ones. */
export const ID_KINDS = ["sequential", "random"] as const;
export type IdKind = (typeof ID_KINDS)[number];

const RANDOM_BYTES = 16;

/** A sequential id with the prefix of its process. */
const PREFIXED_NUMBER = /^[0-9a-f]{8}-[1-9]\d*$/;

/** All sessions of a relay by their ids. Also generates ids. */
export class Registry {
  readonly #sessions = new Slots<Session>();
  /** Slots of the sessions, in the order of their serial numbers. */
  readonly #slots = new Map<string, number>();
  readonly #kind: IdKind;
  readonly #prefix: string;
  readonly #startedAt = performance.now();
  #lastNumber = 0;
  #lastSerial = 0;
  #hasNames = false;

  /** @param prefix Prefix of each sequential id. */
  constructor(kind: IdKind = "sequential", prefix = "") {
    this.#kind = kind;
    this.#prefix = prefix;
  }

  /** Generates an id. Skips ids that are in use, and never returns one twice. A random id cannot be guessed. */
  nextId(): string {
    if (this.#kind === "random") return randomId();
    let id: string;
    do id = `${this.#prefix}${++this.#lastNumber}`;
    while (this.#slots.has(id));
    return id;
  }

  add(session: Session): void {
    session.serial = ++this.#lastSerial;
    const slot = this.#slots.get(session.id);
    if (slot === undefined) this.#slots.set(session.id, this.#sessions.add(session));
    else this.#sessions.replace(slot, session);
  }

  /** Notes that the app gives ids to clients, so that any id may be one of them. */
  markNamesInUse(): void {
    this.#hasNames = true;
  }

  /**
   * Whether a client of an earlier process may still come back with an id that no session has now. `false` for ids that
   * only this process generates.
   */
  mayReturn(id: string): boolean {
    if (performance.now() - this.#startedAt > RETURN_MS || (this.#prefix !== "" && id.startsWith(this.#prefix))) {
      return false;
    }
    // The app may have given it, and gives it again.
    if (this.#hasNames) return true;
    // Otherwise only a signed token brings an id back: a random one, or a number of another process.
    return this.#prefix !== "" && (this.#kind === "random" || PREFIXED_NUMBER.test(id));
  }

  find(id: string): Session | undefined {
    const slot = this.#slots.get(id);
    return slot === undefined ? undefined : this.#sessions.get(slot);
  }

  /** Frees the session's id. Does nothing if another session has taken it over. */
  remove(session: Session): void {
    const slot = this.#slots.get(session.id);
    if (slot === undefined || this.#sessions.get(slot) !== session) return;
    this.#slots.delete(session.id);
    this.#sessions.delete(slot);
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Iterates over the sessions in the order of their serial numbers. */
  *[Symbol.iterator](): IterableIterator<Session> {
    for (const slot of this.#slots.values()) {
      const session = this.#sessions.get(slot);
      if (session !== undefined) yield session;
    }
  }
}

/** Returns 128 random bits in the characters of an id: base64url without padding (RFC 4648 §5). */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
