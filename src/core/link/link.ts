import { Frame, isLongerThan, type Payload } from "../protocol/frame.ts";
import type { CatchUps } from "../session/catch-up.ts";
import type { Mailbox } from "../session/mailbox.ts";
import { CLOSE_CODES, type CloseCode, meansReturn } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import type { Heartbeat, Pulse } from "./heartbeat.ts";
import { Incoming, maxRawBytes } from "./incoming.ts";
import { type Limits, REMEMBERED_ACKS, SLOW_BEATS } from "./limits.ts";
import type { Holder, MemoryBudget } from "./memory-budget.ts";
import { Outbox, type Turn } from "./outbox.ts";
import type { Place } from "./places.ts";
import type { Rate } from "./rate.ts";

/** How a connection ended: with a code, if one was sent, and by whom. */
export interface Ending {
  readonly by: "client" | "relay" | "heartbeat";
  /** RFC 6455 §7.4.1; 1006 where no close frame came. */
  readonly code: number;
  readonly reason: string;
  /** Whether the client may come back to its session: the connection was lost, or closed with a code that says so. */
  readonly mayReturn: boolean;
}

/** Whom a link works for. None of these may throw. */
export interface LinkOwner {
  /** How much the client may send; anything where absent. */
  readonly rate: Rate | undefined;
  /** What was sent over the link and is not acknowledged, where its protocol numbers messages. */
  readonly mailbox?: Mailbox | undefined;
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
  readonly catchUps: CatchUps;
  readonly turn: Turn;
  readonly heartbeat: Heartbeat;
  /** Milliseconds that a client has to answer a close before its socket is dropped. */
  readonly closeTimeoutMs: number;
  /** Milliseconds that a session may be without a connection. */
  readonly resumeMs: number;
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
export class Link implements Pulse, Holder {
  slice = 0;
  heardTick = 0;
  asked = false;
  misses = 0;
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
  /** The tick since which more waits than may; -1 while that is not so. */
  #slowSince = -1;
  #closeTimer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param place Released when the socket is gone. */
  constructor(connection: Connection, care: LinkCare, owner: LinkOwner, place?: Place) {
    this.#connection = connection;
    this.#care = care;
    this.#owner = owner;
    this.#place = place;
    this.#outbox = new Outbox(connection, care.turn, care.budget);
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
    this.#end({ by: whoCloses(code), code, reason, mayReturn: meansReturn(code) });
    this.#dropInTime();
  }

  /** From the entry: the socket is gone. Harmless when repeated. */
  closed(code: number, reason: string): void {
    if (this.#isEvicted) {
      this.#wentEvicted = true;
      return;
    }
    this.#end({ by: whoCloses(code), code, reason, mayReturn: meansReturn(code) });
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
    if (this.ended) return false;
    const waiting = this.#outbox.bufferedBytes();
    return !this.#isOver(waiting) && this.#hasMemoryFor(waiting, size);
  }

  /** The same for a frame that can also be sent later: half of what may wait is left for what cannot. One may always be on its way. */
  isReadyFor(size: number): boolean {
    if (this.ended) return false;
    const waiting = this.#outbox.bufferedBytes();
    if (waiting > 0 && waiting + size > this.#care.limits.maxBufferedBytes / 2) return false;
    return this.#hasMemoryFor(waiting, size);
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
    return this.#isOver(this.#outbox.bufferedBytes());
  }

  /** Writes what waits, then closes; a client that does not answer is dropped after `closeTimeoutMs`. */
  close(closeCode: CloseCode): void {
    if (this.ended) return;
    this.#outbox.flush();
    const { code, reason } = closeCode;
    this.#end({ by: "relay", code, reason, mayReturn: meansReturn(code) });
    this.#connection.close(code, reason);
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
      this.#end({ by: "relay", code, reason, mayReturn: meansReturn(code) });
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

  ping(): void {
    if (this.#connection.ping === undefined) {
      this.asked = false;
      return;
    }
    this.#receivedBytes = this.#connection.receivedBytes?.() ?? 0;
    this.#unansweredPings++;
    this.#connection.ping();
  }

  visited(): void {
    this.#owner.beat();
    if (!this.isSlow() || this.#care.heartbeat.beatsSince(this.#slowSince) < SLOW_BEATS) return;
    this.close(CLOSE_CODES.tooSlow);
  }

  missed(): void {
    this.#owner.missed(this.misses);
  }

  lost(): void {
    const { misses } = this;
    this.#end({
      by: "heartbeat",
      code: 1006,
      reason: `${misses} ${misses === 1 ? "beat" : "beats"} missed`,
      mayReturn: true,
    });
    this.#connection.terminate();
  }

  #hasMemoryFor(waiting: number, size: number): boolean {
    const { budget } = this.#care;
    return budget.fits(waiting, size) || budget.allows(waiting, size, this.waitingSince);
  }

  #isOver(waiting: number): boolean {
    if (waiting <= this.#care.limits.maxBufferedBytes) {
      this.#slowSince = -1;
      return false;
    }
    if (this.#slowSince < 0) this.#slowSince = this.#care.heartbeat.now;
    return true;
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

/** Codes with which a runtime ends a connection by itself (RFC 6455 §7.4.1): what came broke the protocol. */
const RUNTIME_CODES: readonly number[] = [1002, 1007, 1008, 1009];

function whoCloses(code: number): Ending["by"] {
  return RUNTIME_CODES.includes(code) ? "relay" : "client";
}
