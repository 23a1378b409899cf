/** Messages acknowledged together; fewer are acknowledged within `ACK_DELAY_MS`. */
const ACK_EVERY = 64;
const ACK_DELAY_MS = 200;
const DONE = { done: true, value: undefined } as const;

/** An iterator: the messages that it holds, and each `next` that waits for one. */
interface Reader<Message> {
  readonly isWanted: (message: Message) => boolean;
  held: { sequenceId: number; readonly message: Message }[];
  waiting: ((result: IteratorResult<Message, void>) => void)[];
}

/**
 * Knows which messages have come, and acknowledges those that were consumed: the listeners have heard them, and no
 * iterator holds them any more. What iterators hold is bounded by the relay, which keeps every message that is not
 * acknowledged and refuses more than a mailbox of them.
 */
export class Inbox<Message> {
  readonly #tell: (message: Message) => void;
  readonly #send: (sequenceId: number) => void;
  readonly #readers = new Set<Reader<Message>>();
  #lastId = 0;
  #acknowledgedId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /**
   * @param tell Has the listeners hear a message.
   * @param send Tells the relay that all messages up to this number were consumed.
   */
  constructor(tell: (message: Message) => void, send: (sequenceId: number) => void) {
    this.#tell = tell;
    this.#send = send;
  }

  /** Tells a new connection what was consumed, so that the relay repeats the rest. */
  restart(isSameSession: boolean): void {
    if (!isSameSession) {
      this.#lastId = 0;
      // Nothing of the new session is acknowledged before the messages of the old one were taken.
      for (const { held } of this.#readers) for (const each of held) each.sequenceId = 1;
    }
    this.#acknowledge();
  }

  /** Takes a message, unless it has come before: after a resume the relay repeats what was not acknowledged. */
  add(sequenceId: number, message: Message): void {
    if (sequenceId <= this.#lastId) return;
    this.#tell(message);
    this.#lastId = sequenceId;
    for (const { isWanted, held, waiting } of this.#readers) {
      if (!isWanted(message)) continue;
      const next = waiting.shift();
      if (next === undefined) held.push({ sequenceId, message });
      else next({ done: false, value: message });
    }
    this.#consumed();
  }

  /**
   * Gives messages in order, each to one `next`, from the first `next` on and until the client is closed. A message is
   * consumed when a `next` has given it. `return` settles at once, as does each `next` that waits, and drops the rest.
   */
  iterate(isWanted: (message: Message) => boolean): AsyncIterableIterator<Message, void> {
    const reader: Reader<Message> = { isWanted, held: [], waiting: [] };
    let isNew = true;
    return {
      next: async () => {
        if (isNew && !this.#isClosed) this.#readers.add(reader);
        isNew = false;
        const oldest = reader.held.shift();
        if (oldest === undefined) {
          return this.#readers.has(reader) ? new Promise((resolve) => reader.waiting.push(resolve)) : DONE;
        }
        this.#consumed();
        return { done: false, value: oldest.message };
      },
      return: async () => {
        isNew = false;
        reader.held = [];
        this.#end(reader);
        this.#consumed();
        return DONE;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Ends the iterators once they have given what they hold. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const reader of this.#readers) this.#end(reader);
  }

  #end(reader: Reader<Message>): void {
    this.#readers.delete(reader);
    for (const next of reader.waiting) next(DONE);
    reader.waiting = [];
  }

  #consumed(): void {
    const unacknowledged = this.#consumedId() - this.#acknowledgedId;
    if (this.#isClosed || unacknowledged === 0) return;
    if (unacknowledged >= ACK_EVERY) this.#acknowledge();
    else this.#timer ??= setTimeout(() => this.#acknowledge(), ACK_DELAY_MS);
  }

  #consumedId(): number {
    let consumedId = this.#lastId;
    for (const { held } of this.#readers) if (held[0]) consumedId = Math.min(consumedId, held[0].sequenceId - 1);
    return consumedId;
  }

  #acknowledge(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#acknowledgedId = this.#consumedId();
    this.#send(this.#acknowledgedId);
  }
}
