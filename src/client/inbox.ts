/** Number of consumed messages that are acknowledged at once. Fewer, and small ones, wait for `ACK_DELAY_MS`. */
const ACK_EVERY = 64;
const ACK_DELAY_MS = 200;
/** Size of the messages that are acknowledged at once, in UTF-16 units of their frames: a sixteenth of a mailbox. */
const ACK_SIZE = 65_536;
const DONE = { done: true, value: undefined } as const;

/** The state of an iterator. */
interface Reader<Message> {
  readonly isWanted: (message: Message) => boolean;
  /** Messages that came and that no `next` has given yet. */
  held: { sequenceId: number; readonly message: Message }[];
  /** Resolves each call of `next` that has no message yet. */
  waiting: ((result: IteratorResult<Message, void>) => void)[];
}

/**
 * Receives messages, once each, and acknowledges those that were consumed: their listeners have run, and no iterator
 * holds them. The relay bounds the number of held messages, because it refuses further ones when a mailbox of messages
 * is not acknowledged.
 */
export class Inbox<Message> {
  readonly #notify: (message: Message) => void;
  readonly #sendAck: (sequenceId: number) => void;
  readonly #readers = new Set<Reader<Message>>();
  #lastId = 0;
  #acknowledgedId = 0;
  /** Size of the messages that came after the last acknowledgement. */
  #size = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /**
   * @param notify Calls the listeners with a message.
   * @param sendAck Acknowledges to the relay all messages up to this number.
   */
  constructor(notify: (message: Message) => void, sendAck: (sequenceId: number) => void) {
    this.#notify = notify;
    this.#sendAck = sendAck;
  }

  /** Acknowledges on a new connection the messages that were consumed, so that the relay sends the others again. */
  restart(isSameSession: boolean): void {
    if (!isSameSession) {
      this.#lastId = 0;
      // Holds back all acknowledgements of the new session until the iterators have given the old session's messages.
      for (const { held } of this.#readers) for (const each of held) each.sequenceId = 1;
    }
    this.#acknowledge();
  }

  /**
   * Adds a message. Ignores one that came before: after a resume the relay repeats unacknowledged messages.
   *
   * @param size UTF-16 units of its frame.
   */
  add(sequenceId: number, message: Message, size: number): void {
    if (sequenceId <= this.#lastId) return;
    this.#size += size;
    this.#notify(message);
    this.#lastId = sequenceId;
    for (const { isWanted, held, waiting } of this.#readers) {
      if (!isWanted(message)) continue;
      const next = waiting.shift();
      if (next) next({ done: false, value: message });
      else held.push({ sequenceId, message });
    }
    this.#scheduleAck();
  }

  /**
   * Returns an iterator over the messages in order, from its first `next` on until the client is closed. A message is
   * consumed when a `next` has given it. `return` drops the held messages, and settles at once; so does each `next`
   * that has no message yet.
   */
  iterate(isWanted: (message: Message) => boolean): AsyncIterableIterator<Message, void> {
    const reader: Reader<Message> = { isWanted, held: [], waiting: [] };
    let isNew = true;
    return {
      next: async () => {
        if (isNew && !this.#isClosed) this.#readers.add(reader);
        isNew = false;
        const oldest = reader.held.shift();
        if (oldest) {
          this.#scheduleAck();
          return { done: false, value: oldest.message };
        }
        return this.#readers.has(reader) ? new Promise((resolve) => reader.waiting.push(resolve)) : DONE;
      },
      return: async () => {
        isNew = false;
        reader.held = [];
        this.#endReader(reader);
        this.#scheduleAck();
        return DONE;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Ends each iterator when it has given the messages that it holds. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const reader of this.#readers) this.#endReader(reader);
  }

  #endReader(reader: Reader<Message>): void {
    this.#readers.delete(reader);
    for (const next of reader.waiting) next(DONE);
    reader.waiting = [];
  }

  #scheduleAck(): void {
    const unacknowledged = this.#consumedId() - this.#acknowledgedId;
    if (this.#isClosed || unacknowledged === 0) return;
    if (unacknowledged >= ACK_EVERY || this.#size >= ACK_SIZE) this.#acknowledge();
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
    this.#size = 0;
    this.#acknowledgedId = this.#consumedId();
    this.#sendAck(this.#acknowledgedId);
  }
}
