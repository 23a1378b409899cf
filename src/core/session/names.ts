import type { Account } from "./account.ts";

/** What a name takes in a session and in what it names, in counted bytes: places in a set and a map, and another set. */
const NAME_BYTES = 128;

/** The rooms that a session is in, or the ids that it watches. Takes no memory while it is empty, as most are. */
export class Names {
  readonly #account: Account;
  #names: Set<string> | undefined = undefined;

  constructor(account: Account) {
    this.#account = account;
  }

  get size(): number {
    return this.#names?.size ?? 0;
  }

  /** Whether the memory budget has room for one more. @param since Since when the bytes of the session's connection wait. */
  hasRoomFor(name: string, since: number): boolean {
    return this.#account.allowsNames(NAME_BYTES + name.length, since);
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
