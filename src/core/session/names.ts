import type { Account } from "./account.ts";

/** Counted bytes of a name in addition to its characters: entries in the session's set and in the directory. */
const NAME_BYTES = 128;

/** The rooms that a session is in, or the ids that it watches. Takes no memory while it is empty, which most are. */
export class Names {
  readonly #account: Account;
  #names: Set<string> | undefined = undefined;

  constructor(account: Account) {
    this.#account = account;
  }

  get size(): number {
    return this.#names?.size ?? 0;
  }

  /**
   * Makes room for the name; slower connections may be evicted.
   *
   * @param since Time since which the bytes of the session's connection wait, by `performance.now()`.
   * @returns Whether the name may be added.
   */
  makeRoomFor(name: string, since: number): boolean {
    return this.#account.makeRoomForNames(NAME_BYTES + name.length, since);
  }

  add(name: string): void {
    this.#names ??= new Set();
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#account.countNames(NAME_BYTES + name.length);
  }

  has(name: string): boolean {
    return this.#names?.has(name) ?? false;
  }

  delete(name: string): void {
    if (this.#names?.delete(name) !== true) return;
    this.#account.countNames(-NAME_BYTES - name.length);
    if (this.#names.size === 0) this.#names = undefined;
  }

  *[Symbol.iterator](): Iterator<string> {
    if (this.#names !== undefined) yield* this.#names;
  }
}
