import type { Limits } from "../link/limits.ts";
import type { Frame } from "../protocol/frame.ts";
import type { Account } from "./account.ts";

/** What keeping a message takes besides its payload, in counted bytes: its frame, its place, and the frame's text that it is cut from. */
const ENTRY_BYTES = 128;

/**
 * What a session was sent and did not acknowledge yet, in order: what waits while it is away, and what may have been lost with its
 * last connection. Bounded in messages and bytes.
 */
export class Mailbox {
  readonly #limits: Limits;
  #account: Account;
  /** Messages as they are sent, behind places that are empty: those of messages that were let go. */
  #frames: (Frame | undefined)[] = [];
  #first = 0;
  #size = 0;
  #lastSequenceId = 0;
  #acknowledging = false;
  /** Messages that could not be kept: all, those that the last welcome told of, and those that the client knows of. */
  #lost = 0;
  #told = 0;
  #known = 0;
  /** Since when messages up to the mark wait. */
  #waitingSince = 0;
  #mark = 0;

  constructor(limits: Limits, account: Account) {
    this.#limits = limits;
    this.#account = account;
  }

  /** Counts all that is here for another session, which takes the mail over. */
  moveTo(account: Account): void {
    const bytes = this.#size + this.messages * ENTRY_BYTES;
    this.#account.countMail(-bytes);
    this.#account = account;
    account.countMail(bytes);
  }

  /** Whether the client has ever acknowledged a message; only then is a full mailbox its own doing. */
  get isAcknowledging(): boolean {
    return this.#acknowledging;
  }

  /**
   * Since when the oldest message waits at the least, by `performance.now()`; `Infinity` where none does. A client that acknowledges one of many
   * now and then gets no younger by it: all that waited at one moment must be acknowledged.
   */
  get waitingSince(): number {
    return this.messages === 0 ? Number.POSITIVE_INFINITY : this.#waitingSince;
  }

  /** Whether a message of this size could be kept if nothing else was. */
  couldKeep(size: number): boolean {
    return size <= this.#limits.maxMailboxBytes;
  }

  /**
   * Whether a message of this size can be kept beside those that are here.
   *
   * @param since Since when the session's bytes wait, those of its connection among them.
   */
  hasRoomFor(size: number, since = this.waitingSince): boolean {
    return this.#isWithinLimits(size) && this.#account.allowsMail(size + ENTRY_BYTES, since);
  }

  /** Numbers the message and keeps it, whatever is here already; returns it as it is sent. */
  add(message: Frame): Frame {
    const frame = message.numbered(++this.#lastSequenceId);
    if (this.messages === 0) this.#markNow();
    const { size } = frame;
    this.#frames.push(frame);
    this.#size += size;
    this.#account.countMail(size + ENTRY_BYTES);
    return frame;
  }

  /** Numbers a message that is not kept; returns it as it is sent. */
  pass(message: Frame): Frame {
    this.#lost++;
    return message.numbered(++this.#lastSequenceId);
  }

  /**
   * Drops the oldest messages until one of this size has room: their client never says what it got.
   *
   * @returns Whether there is room; otherwise nothing is left.
   */
  makeRoomFor(size: number): boolean {
    while (!this.#fits(size)) {
      if (this.messages === 0) return false;
      this.#loseFirst();
    }
    return true;
  }

  /** Drops the oldest messages while it is so. */
  dropOldestWhile(condition: () => boolean): void {
    while (this.messages > 0 && condition()) this.#loseFirst();
  }

  /** A message for this session could not be kept. */
  lose(): void {
    this.#lost++;
  }

  /** The client has all messages up to this number. @returns Whether any of them was still here. */
  acknowledge(sequenceId: number): boolean {
    this.#acknowledging = true;
    const before = this.messages;
    while ((this.#frames[this.#first]?.number ?? Number.POSITIVE_INFINITY) <= sequenceId) this.#dropFirst();
    if (sequenceId >= this.#mark && this.messages > 0 && this.messages < before) this.#markNow();
    return this.messages < before;
  }

  /** The first message with a number above this one, as it is sent. */
  after(sequenceId: number): Frame | undefined {
    // Numbers are left out only while nothing is kept, so those that are kept follow each other.
    const first = this.#frames[this.#first]?.number ?? 0;
    return this.#frames[this.#first + Math.max(0, sequenceId + 1 - first)];
  }

  /** Drops all: the session is over. */
  clear(): void {
    while (this.messages > 0) this.#dropFirst();
  }

  /** Whether a message was lost that the client does not know of. */
  get hasUnknownLoss(): boolean {
    return this.#lost !== this.#known;
  }

  /** Notes that a welcome tells the client what was lost until now. */
  tellLoss(): void {
    this.#told = this.#lost;
  }

  /** Notes that the client has seen its welcome. */
  confirmLoss(): void {
    this.#known = this.#told;
  }

  /** How many messages are kept. */
  get messages(): number {
    return this.#frames.length - this.#first;
  }

  /** The number of the latest message. */
  get lastSequenceId(): number {
    return this.#lastSequenceId;
  }

  #isWithinLimits(size: number): boolean {
    return this.messages < this.#limits.maxMailboxMessages && this.#size + size <= this.#limits.maxMailboxBytes;
  }

  #fits(size: number): boolean {
    return this.#isWithinLimits(size) && this.#account.fitsMail(size + ENTRY_BYTES);
  }

  #loseFirst(): void {
    this.#dropFirst();
    this.#lost++;
  }

  #dropFirst(): void {
    const size = this.#frames[this.#first]?.size ?? 0;
    this.#size -= size;
    this.#account.countMail(-size - ENTRY_BYTES);
    this.#frames[this.#first] = undefined;
    this.#first++;
    // Empty places are cut off together: one by one, a long mailbox would be moved for each message.
    if (this.#first < 64 && this.#first < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#first);
    this.#first = 0;
  }

  #markNow(): void {
    this.#mark = this.#lastSequenceId;
    this.#waitingSince = performance.now();
  }
}
