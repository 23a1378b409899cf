import type { Buffers } from "./buffers.ts";
import type { Frame } from "./frame.ts";
import type { Limits } from "./limits.ts";

/** What keeping a message takes besides its payload. */
const ENTRY_BYTES = 128;

/**
 * What a session was sent and did not acknowledge yet, in order: what waits while it is away, and what may have been lost with its
 * last connection. Bounded in messages and bytes.
 */
export class Mailbox {
  readonly #limits: Limits;
  readonly #buffers: Buffers;
  /** Messages as they are sent. */
  #frames: Frame[] = [];
  /** Messages before this one are acknowledged, and wait to be cut off together. */
  #first = 0;
  #size = 0;
  #lastSequenceId = 0;
  #acknowledging = false;
  /** Messages that could not be kept: all, those that the last welcome told of, and those that the client knows of. */
  #lost = 0;
  #told = 0;
  #known = 0;

  constructor(limits: Limits, buffers: Buffers) {
    this.#limits = limits;
    this.#buffers = buffers;
  }

  /** Whether the client has ever acknowledged a message; only then is a full mailbox its own doing. */
  get isAcknowledging(): boolean {
    return this.#acknowledging;
  }

  /** Whether a message of this size could be kept if nothing else was. */
  couldKeep(size: number): boolean {
    return size <= this.#limits.maxMailboxBytes;
  }

  /** Whether a message of this size can be kept beside those that are here. */
  hasRoomFor(size: number): boolean {
    return (
      this.messages < this.#limits.maxMailboxMessages &&
      this.#size + size <= this.#limits.maxMailboxBytes &&
      this.#buffers.allows(this.#size, size)
    );
  }

  /** Numbers the message and keeps it, whatever is here already; returns it as it is sent. */
  add(message: Frame): Frame {
    const frame = message.numbered(++this.#lastSequenceId);
    const { size } = frame;
    this.#frames.push(frame);
    this.#size += size;
    this.#buffers.count(size + ENTRY_BYTES);
    return frame;
  }

  /** Drops the oldest messages until one of this size has room: their client never says what it got. */
  makeRoomFor(size: number): void {
    while (this.messages > 0 && !this.hasRoomFor(size)) {
      this.#dropFirst();
      this.#lost++;
    }
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
    return this.messages < before;
  }

  /** All that is not acknowledged, as it is sent, in order. */
  waiting(): Frame[] {
    return this.#frames.slice(this.#first);
  }

  /** Drops all: the session is over. */
  clear(): void {
    while (this.messages > 0) this.#dropFirst();
  }

  /** Whether nothing was lost that the client does not know of; a welcome is about to tell it. */
  tellLoss(): boolean {
    this.#told = this.#lost;
    return this.#lost === this.#known;
  }

  /** The client has seen its welcome. */
  confirmLoss(): void {
    this.#known = this.#told;
  }

  /** How many messages are kept. */
  get messages(): number {
    return this.#frames.length - this.#first;
  }

  #dropFirst(): void {
    const size = this.#frames[this.#first]?.size ?? 0;
    this.#size -= size;
    this.#buffers.count(-size - ENTRY_BYTES);
    this.#first++;
    if (this.#first < 64 && this.#first < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#first);
    this.#first = 0;
  }
}
