import type { Limits } from "../link/limits.ts";
import type { Frame } from "../protocol/frame.ts";
import type { Account } from "./account.ts";

/**
 * Counted bytes that a kept message takes in addition to its payload: its `Frame`, its entry, and the rest of the text
 * that its payload was cut from.
 */
const ENTRY_BYTES = 128;

/**
 * Messages to a session that its client has not acknowledged yet, in order: those that came while it was away, and
 * those that may have been lost with its last connection. Limited in messages and in bytes.
 */
export class Mailbox {
  readonly #limits: Limits;
  #account: Account;
  /** Numbered messages in order, from index `#first`. The entries before it belonged to removed messages. */
  #frames: (Frame | undefined)[] = [];
  #first = 0;
  #size = 0;
  #lastSequenceId = 0;
  #isAcknowledging = false;
  /** Messages that could not be kept. */
  #losses = 0;
  /** Value of `#losses` at the last welcome. */
  #reportedLosses = 0;
  /** Value of `#losses` at the last welcome that the client has seen. */
  #seenLosses = 0;
  /** Time since which the messages up to the number `#mark` wait. */
  #waitingSince = 0;
  #mark = 0;

  constructor(limits: Limits, account: Account) {
    this.#limits = limits;
    this.#account = account;
  }

  /** Moves the bytes of all messages to the account of another session, which takes over the mailbox. */
  moveTo(account: Account): void {
    const bytes = this.#size + this.messages * ENTRY_BYTES;
    this.#account.countMail(-bytes);
    this.#account = account;
    account.countMail(bytes);
  }

  /** Whether the client has ever acknowledged a message. Only for such a client does the relay refuse new messages. */
  get isAcknowledging(): boolean {
    return this.#isAcknowledging;
  }

  /**
   * Time since which the oldest message waits at the least, by `performance.now()`; `Infinity` if there is none. Moves
   * on only when the client has acknowledged every message that was there at that time: a client that acknowledges one
   * of many now and then is as slow as one that acknowledges none.
   */
  get waitingSince(): number {
    return this.messages === 0 ? Number.POSITIVE_INFINITY : this.#waitingSince;
  }

  /** Whether a message of this size fits into an empty mailbox. */
  couldKeep(size: number): boolean {
    return size <= this.#limits.maxMailboxBytes;
  }

  /** Whether a message of this size may be added, without an eviction. */
  hasRoomFor(size: number): boolean {
    return this.#isWithinLimits(size) && this.#account.hasRoomForMail(size + ENTRY_BYTES);
  }

  /**
   * Makes room for a message of this size; slower connections may be evicted.
   *
   * @param since Time since which the session's bytes wait, including those of its connection, by `performance.now()`.
   * @returns Whether the message may be added.
   */
  makeRoomFor(size: number, since = this.waitingSince): boolean {
    return this.#isWithinLimits(size) && this.#account.makeRoomForMail(size + ENTRY_BYTES, since);
  }

  /** Numbers the message and keeps it, without looking at limits. @returns The message with its number. */
  add(message: Frame): Frame {
    const frame = message.numbered(++this.#lastSequenceId);
    if (this.messages === 0) this.#markNow();
    const { size } = frame;
    this.#frames.push(frame);
    this.#size += size;
    this.#account.countMail(size + ENTRY_BYTES);
    return frame;
  }

  /** Numbers a message that is sent but not kept, and counts it as lost. @returns The message with its number. */
  numberUnkept(message: Frame): Frame {
    this.#losses++;
    return message.numbered(++this.#lastSequenceId);
  }

  /**
   * Drops the oldest messages until one of this size has room: for clients that never acknowledge.
   *
   * @returns Whether there is room; if not, the mailbox is empty.
   */
  dropOldestFor(size: number): boolean {
    while (!this.hasRoomFor(size)) {
      if (this.messages === 0) return false;
      this.#loseOldest();
    }
    return true;
  }

  /** Drops the oldest message as long as there is one and the condition holds. */
  dropOldestWhile(condition: () => boolean): void {
    while (this.messages > 0 && condition()) this.#loseOldest();
  }

  /** Counts a message to this session that could not be kept. */
  countLoss(): void {
    this.#losses++;
  }

  /** Removes all messages up to this number: the client has them. @returns Whether there were any. */
  acknowledge(sequenceId: number): boolean {
    this.#isAcknowledging = true;
    const before = this.messages;
    while ((this.#frames[this.#first]?.number ?? Number.POSITIVE_INFINITY) <= sequenceId) this.#removeOldest();
    if (sequenceId >= this.#mark && this.messages > 0 && this.messages < before) this.#markNow();
    return this.messages < before;
  }

  /** Returns the first message with a number above this one; `undefined` if there is none. */
  firstAfter(sequenceId: number): Frame | undefined {
    // Numbers are skipped only while the mailbox is empty, so the numbers of kept messages are consecutive.
    const first = this.#frames[this.#first]?.number ?? 0;
    return this.#frames[this.#first + Math.max(0, sequenceId + 1 - first)];
  }

  /** Removes all messages, as the session has ended. */
  clear(): void {
    while (this.messages > 0) this.#removeOldest();
  }

  /** Whether a message was lost, and the client has not seen a welcome that reports it. */
  get hasUnseenLoss(): boolean {
    return this.#losses !== this.#seenLosses;
  }

  /** Notes that a welcome reports all losses until now. */
  markLossReported(): void {
    this.#reportedLosses = this.#losses;
  }

  /** Notes that the client has seen the last welcome. */
  markLossSeen(): void {
    this.#seenLosses = this.#reportedLosses;
  }

  /** Size of the messages that are kept: in bytes, or in UTF-16 units for those that are kept as strings. */
  get bytes(): number {
    return this.#size;
  }

  /** Number of messages that are kept. */
  get messages(): number {
    return this.#frames.length - this.#first;
  }

  #isWithinLimits(size: number): boolean {
    return this.messages < this.#limits.maxMailboxMessages && this.#size + size <= this.#limits.maxMailboxBytes;
  }

  #loseOldest(): void {
    this.#removeOldest();
    this.#losses++;
  }

  #removeOldest(): void {
    const size = this.#frames[this.#first]?.size ?? 0;
    this.#size -= size;
    this.#account.countMail(-size - ENTRY_BYTES);
    this.#frames[this.#first] = undefined;
    this.#first++;
    // Empty entries are cut off many at once: cutting one at a time would copy a long mailbox for each message.
    if (this.#first < 64 && this.#first < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#first);
    this.#first = 0;
  }

  #markNow(): void {
    this.#mark = this.#lastSequenceId;
    this.#waitingSince = performance.now();
  }
}
