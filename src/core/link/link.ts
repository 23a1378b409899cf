import { Frame, isLongerThan, type Payload } from "../protocol/frame.ts";
import { CLOSE_CODES, type CloseCode } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import { type Ending, endedByHeartbeat, endedByRelay, endedBySocket } from "./ending.ts";
import { type Heartbeat, type Monitored, Pulse } from "./heartbeat.ts";
import { Incoming, maxRawBytes } from "./incoming.ts";
import { type Limits, REMEMBERED_ACKS, SLOW_BEATS } from "./limits.ts";
import type { Holder, MemoryBudget } from "./memory-budget.ts";
import { Outbox } from "./outbox.ts";
import type { Place } from "./places.ts";
import type { Rate } from "./rate.ts";
import type { Turn } from "./turn.ts";

/** Messages that the owner of a link keeps until its client acknowledges them. */
export interface UnackedMessages {
  /** Whether the client has ever acknowledged a message. */
  readonly isAcknowledging: boolean;
  /** Number of messages. */
  readonly messages: number;
  /** Time since which the oldest message waits, by `performance.now()`; `Infinity` where none does. */
  readonly waitingSince: number;
  /** Drops the oldest messages while it is so. */
  loseWhile(isSo: () => boolean): void;
}

/** Receives a link's events. Implementations must not throw. */
export interface LinkOwner {
  /** How much the client may send; anything where absent. */
  readonly rate: Rate | undefined;
  /** What was sent over the link and is not acknowledged, where its protocol numbers messages. */
  readonly mailbox?: UnackedMessages | undefined;
  received(frame: Frame): void;
  /** The client answered a ping, or sent one. */
  ponged(): void;
  missed(misses: number): void;
  /** Called at least once a beat. */
  beat(): void;
  /** Called once; nothing reaches the connection any more. */
  ended(ending: Ending, link: Link): void;
  /** The link is about to end for want of memory: gives back memory that it holds, and tells nobody yet. */
  evicted(link: Link): void;
  /** Something threw where nothing should; the connection is closed with 1011. */
  failed(error: unknown): void;
}

/** What all links of a relay share. */
export interface LinkCare {
  readonly limits: Limits;
  readonly budget: MemoryBudget;
  readonly turn: Turn;
  readonly heartbeat: Heartbeat;
  /** Milliseconds that a client has to answer a close before its socket is dropped. */
  readonly closeTimeoutMs: number;
  /** Called for each link, before anything else happens on its connection. */
  opened(link: Link): void;
  /** Called when the runtime has let go of the socket. */
  released(link: Link): void;
}

/**
 * One connection under the relay's care: its outbox, its beats, its end.
 *
 * The entry reports what happens on the socket by `receive`, `pong`, `closing` and `closed`; none of them throws.
 */
export class Link implements Monitored, Holder {
  readonly pulse = new Pulse();
  readonly #connection: Connection;
  readonly #care: LinkCare;
  readonly #owner: LinkOwner;
  readonly #place: Place | undefined;
  readonly #outbox: Outbox;
  /** Made when a message has been incomplete for more than one piece: most connections never need it. */
  #incoming: Incoming | undefined = undefined;
  #ended = false;
  /** Whether the link was evicted and its owner is told at the end of this microtask turn. */
  #isEvicted = false;
  /** Whether the socket went in between. */
  #wentEvicted = false;
  #released = false;
  #receivedBytes = 0;
  /** One pong more than was asked for is free: over node:http on Bun the entry makes up the first. */
  #unansweredPings = 1;
  #closeTimer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param place Released when the socket is gone. */
  constructor(connection: Connection, care: LinkCare, owner: LinkOwner, place?: Place) {
    this.#connection = connection;
    this.#care = care;
    this.#owner = owner;
    this.#place = place;
    this.#outbox = new Outbox(connection, care);
    care.heartbeat.add(this);
    care.opened(this);
  }

  /** Whether the link is over: nothing is received from it or sent to it any more. */
  get ended(): boolean {
    return this.#ended || this.#isEvicted;
  }

  /** From the entry: a whole message came; text that comes as bytes is UTF-8 that the runtime has checked. */
  receive(payload: Payload, binary: boolean): void {
    if (this.ended) return;
    this.#care.heartbeat.heard(this);
    if (isLongerThan(payload, this.#care.limits.maxMessageBytes)) {
      this.close(CLOSE_CODES.tooLarge);
      return;
    }
    const { budget } = this.#care;
    const { refusals } = budget;
    try {
      this.#owner.received(new Frame(payload, binary));
      if (budget.refusals !== refusals) this.#connection.slowDown?.();
    } catch (error) {
      this.#owner.failed(error);
      this.close(CLOSE_CODES.internal);
    }
  }

  /**
   * From the entry, where the runtime lets it know: the runtime holds part of a message. Closes a connection that sends
   * too much for one message, or for whose message there is no memory.
   *
   * @param heldBytes Process memory that the part takes; 0 when the message is complete.
   * @param rawBytes Bytes that came for it.
   * @returns Whether the entry may let the runtime hold so much.
   */
  receiving(heldBytes: number, rawBytes: number): boolean {
    if (heldBytes === 0) this.#incoming?.release();
    if (heldBytes === 0 || this.#released) return !this.#released;
    const { limits, budget } = this.#care;
    this.#incoming ??= new Incoming(budget);
    const isTooMuch = rawBytes > maxRawBytes(limits.maxMessageBytes);
    if (!isTooMuch && this.#incoming.hold(heldBytes, this.waitingSince)) return true;
    this.close(isTooMuch ? CLOSE_CODES.rateExceeded : CLOSE_CODES.noMemory);
    return false;
  }

  /** From the entry: the client answered a ping, or sent one. */
  pong(): void {
    if (this.ended) return;
    // Not whether the heartbeat waits for an answer: a frame that came before the pong is one already.
    const isAnswer = this.#unansweredPings > 0;
    if (isAnswer) this.#unansweredPings--;
    this.#care.heartbeat.heard(this);
    this.#owner.ponged();
    // What nobody asked for counts like any other frame.
    if (!isAnswer) this.allows("", 1);
  }

  /** From the entry: the closing handshake has begun, not by `close`; the socket is still there. */
  closing(code: number, reason: string): void {
    if (this.#isEvicted) return;
    this.#end(endedBySocket(code, reason));
    this.#dropInTime();
  }

  /** From the entry: the socket is gone. Harmless when repeated. */
  closed(code: number, reason: string): void {
    if (this.#isEvicted) {
      this.#wentEvicted = true;
      return;
    }
    this.#end(endedBySocket(code, reason));
    this.#outbox.recount();
    if (this.#released) return;
    this.#released = true;
    this.#incoming?.release();
    clearTimeout(this.#closeTimer);
    this.#place?.release();
    this.#care.released(this);
  }

  /**
   * Sends a message to this connection at the end of the turn.
   *
   * @returns Whether it was taken: `false` where more waits already than may, or where the link is over.
   */
  send(frame: Frame): boolean {
    if (!this.hasRoomFor(frame.size)) return false;
    this.#outbox.add(frame);
    return true;
  }

  /** Whether a frame of this size would be taken. */
  hasRoomFor(size: number): boolean {
    return !this.ended && this.#outbox.hasRoomFor(size, this);
  }

  /** The same for a frame that can also be sent later: half of what may wait is left for frames that cannot. */
  isReadyFor(size: number): boolean {
    return !this.ended && this.#outbox.isReadyFor(size, this);
  }

  /**
   * Counts a frame that came from the client against its rate, as so many frames. A client that keeps sending more is
   * closed with 1008.
   *
   * @returns Whether the frame is within the rate.
   */
  allows(payload: Payload, frames: number): boolean {
    const verdict = this.#owner.rate?.count(payload, frames) ?? "allowed";
    if (verdict === "allowed") return true;
    this.#connection.slowDown?.();
    if (verdict === "enough") this.close(CLOSE_CODES.rateExceeded);
    return false;
  }

  /** Sends what must not be refused, whatever waits already: a welcome; and a frame for which there is room. */
  sendAnyway(frame: Frame): void {
    if (!this.ended) this.#outbox.add(frame);
  }

  /** Counts the next frame as the ack of a send, until the operating system has taken it. */
  countAck(): void {
    this.#outbox.countAck();
  }

  /** Whether the acks of as many sends wait as a session remembers: a client that reads its acks never has so many. */
  get isFullOfAcks(): boolean {
    return this.#outbox.hasUnsentAcks(REMEMBERED_ACKS);
  }

  /** Whether more waits for this connection than may. */
  isSlow(): boolean {
    return this.#outbox.isSlow();
  }

  /** Writes what waits, then closes; a client that does not answer is dropped after `closeTimeoutMs`. */
  close(closeCode: CloseCode): void {
    if (this.ended) return;
    this.#outbox.flush();
    this.#end(endedByRelay(closeCode));
    this.#connection.close(closeCode.code, closeCode.reason);
    this.#dropInTime();
  }

  get hasSpare(): boolean {
    const mailbox = this.ended ? undefined : this.#owner.mailbox;
    return mailbox !== undefined && !mailbox.isAcknowledging && mailbox.messages > 0;
  }

  dropSpare(): void {
    this.#owner.mailbox?.loseWhile(() => true);
  }

  get waitingSince(): number {
    const unsentSince = Math.min(this.#outbox.waitingSince, this.#incoming?.waitingSince ?? Number.POSITIVE_INFINITY);
    if (this.ended) return unsentSince === Number.POSITIVE_INFINITY ? unsentSince : 0;
    const { mailbox } = this.#owner;
    return mailbox?.isAcknowledging === true ? Math.min(unsentSince, mailbox.waitingSince) : unsentSince;
  }

  /**
   * Closes the connection so that its bytes go at once. Its owner is told in a microtask: whatever asked for memory is in the middle of
   * something, and what is told of the end may ask for memory again.
   */
  evict(): void {
    const isReceiving = this.#incoming !== undefined && this.#incoming.waitingSince < Number.POSITIVE_INFINITY;
    const { code, reason } = CLOSE_CODES.tooSlow;
    if (!this.ended) {
      this.#outbox.flush();
      this.#isEvicted = true;
      this.#outbox.discard();
      this.#owner.evicted(this);
      this.#connection.close(code, reason);
      queueMicrotask(() => this.#endEvicted());
    }
    if (isReceiving || this.#outbox.bufferedBytes() > 0) this.#connection.terminate();
    this.#incoming?.release();
    this.#outbox.recount();
  }

  #endEvicted(): void {
    const { code, reason } = CLOSE_CODES.tooSlow;
    this.#isEvicted = false;
    try {
      this.#end(endedByRelay(CLOSE_CODES.tooSlow));
    } catch (error) {
      this.#owner.failed(error);
    }
    if (this.#wentEvicted) this.closed(code, reason);
    else this.#dropInTime();
  }

  /** Drops the socket now. */
  terminate(): void {
    this.#connection.terminate();
  }

  hasStirred(): boolean {
    return this.#connection.receivedBytes !== undefined && this.#connection.receivedBytes() !== this.#receivedBytes;
  }

  ping(): boolean {
    if (this.#connection.ping === undefined) return false;
    this.#receivedBytes = this.#connection.receivedBytes?.() ?? 0;
    this.#unansweredPings++;
    this.#connection.ping();
    return true;
  }

  visited(): void {
    this.#owner.beat();
    if (this.#outbox.isSlowFor(SLOW_BEATS)) this.close(CLOSE_CODES.tooSlow);
  }

  missed(misses: number): void {
    this.#owner.missed(misses);
  }

  lost(misses: number): void {
    this.#end(endedByHeartbeat(misses));
    this.#connection.terminate();
  }

  #end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#care.heartbeat.remove(this);
    this.#outbox.discard();
    this.#owner.ended(ending, this);
  }

  #dropInTime(): void {
    if (this.#released) return;
    this.#closeTimer ??= setTimeout(() => this.#connection.terminate(), this.#care.closeTimeoutMs);
  }
}
