/**
 * A set of objects that come and go often. Each member has a number, its slot, which its owner keeps to take it out.
 *
 * Not a Set or a Map: V8 rebuilds their tables as members come and go, and each old table refers to the next one. Where
 * one old table has outlived the fast collections, all later ones do, with the members that they had: in a storm of
 * connects nearly every connection stayed in memory until the next slow collection, and the fast ones took four times
 * as long (seen with V8 11.3, Node 20).
 */
export class Slots<T> {
  readonly #members: (T | undefined)[] = [];
  readonly #freeSlots: number[] = [];

  /** Number of members. */
  get size(): number {
    return this.#members.length - this.#freeSlots.length;
  }

  /** Adds a member. @returns Its slot. */
  add(member: T): number {
    const slot = this.#freeSlots.pop() ?? this.#members.length;
    this.#members[slot] = member;
    return slot;
  }

  /** Returns the member in the slot; `undefined` if it has none. */
  get(slot: number): T | undefined {
    return this.#members[slot];
  }

  /** Puts the member in a slot that is in use, in place of another. */
  replace(slot: number, member: T): void {
    this.#members[slot] = member;
  }

  /** Takes the member out of its slot, which must be in use. Another member may get the slot. */
  delete(slot: number): void {
    this.#members[slot] = undefined;
    this.#freeSlots.push(slot);
  }

  /** Takes all members out. */
  clear(): void {
    this.#members.length = 0;
    this.#freeSlots.length = 0;
  }

  /** Iterates over the members, in no particular order. Members may be taken out meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const member of this.#members) if (member !== undefined) yield member;
  }
}
