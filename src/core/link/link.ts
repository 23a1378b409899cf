import { Frame, isLongerThan, type Payload } from "../protocol/frame.ts";
import { CLOSE_CODES, type CloseCode } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import { type Ending, endedByHeartbeat, endedByRelay, endedBySocket } from "./ending.ts";
import { type Heartbeat, type Monitored, Pulse } from "./heartbeat.ts";
import { Incoming, maxRawBytes } from "./incoming.ts";
import { type Limits, REMEMBERED_ACKS, SLOW_BEATS } from "./limits.ts";
import type { LinkOwner } from "./link-owner.ts";
import type { Holder, MemoryBudget } from "./memory-budget.ts";
import { Outbox } from "./outbox.ts";
import type { Place } from "./places.ts";
import type { Turn } from "./turn.ts";

/** Parts and settings that all links of a relay share. */
export interface LinkContext {
  readonly limits: Limits;
  readonly budget: MemoryBudget;
  readonly turn: Turn;
  readonly heartbeat: Heartbeat;
  /** Time that a client has to answer a close frame before its socket is dropped, in milliseconds. */
  readonly closeTimeoutMs: number;
  /** Called for each new link, before any other event of its connection. */
  onOpen(link: Link): void;
  /** Called once, when the runtime has released the link's socket. */
  onSocketGone(link: Link): void;
}

/**
 * One connection in the relay's care: its outbox, its heartbeat and its end.
 *
 * The entry reports the socket's events by the methods `on...`; none of them throws. A link ends once, usually before
 * its socket is gone: from then on it ignores frames in both directions.
 */
export class Link implements Monitored, Holder {
  readonly pulse: Pulse = new Pulse();
  /** Slot of the link among all links. */
  slot = 0;
  readonly #connection: Connection;
  readonly #context: LinkContext;
  readonly #owner: LinkOwner;
  readonly #place: Place | undefined;
  readonly #outbox: Outbox;
  /** Created for the first message that arrives in several pieces: most connections never need it. */
  #incoming: Incoming | undefined = undefined;
  #isFinished = false;
  /** Whether the link was evicted, and `#finish` follows in a microtask. */
  #isEvictionPending = false;
  /** Whether the socket went between the eviction and its microtask. */
  #wasSocketLostInEviction = false;
  #isSocketGone = false;
  /** Bytes received from the client when the latest ping was sent. */
  #receivedBytesAtPing = 0;
  /** Starts at 1: over node:http on Bun the entry reports one pong that the client did not send. */
  #unansweredPings = 1;
  #closeTimer: ReturnType<typeof setTimeout> | undefined = undefined;

  /** @param place Released when the socket is gone. */
  constructor(connection: Connection, context: LinkContext, owner: LinkOwner, place?: Place) {
    this.#connection = connection;
    this.#context = context;
    this.#owner = owner;
    this.#place = place;
    this.#outbox = new Outbox(connection, context);
    context.heartbeat.add(this);
    context.onOpen(this);
  }

  /** Whether the link has ended: it neither receives nor sends any more. */
  get hasEnded(): boolean {
    return this.#isFinished || this.#isEvictionPending;
  }

  /** Whether everything that was sent to the client is on its way: the link can close without a loss. */
  get isSettled(): boolean {
    return this.#owner.isCatchingUp !== true && this.#outbox.bufferedBytes() === 0;
  }

  /** The socket received a whole message. A text may come as bytes, if the runtime has checked that they are UTF-8. */
  onMessage(payload: Payload, binary: boolean): void {
    if (this.hasEnded) return;
    this.#context.heartbeat.onSignOfLife(this);
    if (isLongerThan(payload, this.#context.limits.maxMessageBytes)) {
      this.startClosing(CLOSE_CODES.tooLarge);
      return;
    }
    const { budget } = this.#context;
    const { refusals } = budget;
    try {
      this.#owner.onFrame(new Frame(payload, binary));
      // The frame was refused memory: the relay reads more slowly from its sender.
      if (budget.refusals !== refusals) this.#connection.slowDown?.();
    } catch (error) {
      this.#owner.onError(error);
      this.startClosing(CLOSE_CODES.internal);
    }
  }

  /**
   * The runtime holds a part of a message; entries report this where the runtime tells. Closes the connection if the
   * message takes too many bytes, or if the memory budget has no room for it.
   *
   * @param heldBytes Process memory that the part takes; 0 when the message is complete.
   * @param rawBytes Bytes received for the message.
   * @returns Whether the entry may let the runtime hold the part.
   */
  onPartialMessage(heldBytes: number, rawBytes: number): boolean {
    if (heldBytes === 0) this.#incoming?.release();
    if (heldBytes === 0 || this.#isSocketGone) return !this.#isSocketGone;
    const { limits, budget } = this.#context;
    this.#incoming ??= new Incoming(budget);
    const isTooMuch = rawBytes > maxRawBytes(limits.maxMessageBytes);
    if (!isTooMuch && this.#incoming.hold(heldBytes, this.waitingSince)) return true;
    this.startClosing(isTooMuch ? CLOSE_CODES.rateExceeded : CLOSE_CODES.noMemory);
    return false;
  }

  /** The client answered a ping, or sent a ping. */
  onPong(): void {
    if (this.hasEnded) return;
    // The heartbeat cannot say this: for it, a frame that came before the pong has answered the ping already.
    const isAnswer = this.#unansweredPings > 0;
    if (isAnswer) this.#unansweredPings--;
    this.#context.heartbeat.onSignOfLife(this);
    this.#owner.onPong();
    // A pong that the relay did not ask for counts against the rate like any other frame.
    if (!isAnswer) this.countAgainstRate("", 1);
  }

  /** The client or the runtime started the closing handshake; the socket is still there. */
  onPeerClosing(code: number, reason: string): void {
    if (this.#isEvictionPending) return;
    this.#finish(endedBySocket(code, reason));
    this.#terminateAfterTimeout();
  }

  /** The socket is gone. Harmless when repeated. */
  onSocketGone(code: number, reason: string): void {
    if (this.#isEvictionPending) {
      this.#wasSocketLostInEviction = true;
      return;
    }
    this.#finish(endedBySocket(code, reason));
    this.#outbox.recount();
    if (this.#isSocketGone) return;
    this.#isSocketGone = true;
    this.#incoming?.release();
    clearTimeout(this.#closeTimer);
    this.#place?.release();
    this.#context.onSocketGone(this);
  }

  /**
   * Sends a frame at the end of the turn.
   *
   * @returns `false` if the frame was refused: the backlog is full, the relay has no memory, or the link has ended.
   */
  send(frame: Frame): boolean {
    if (!this.makeRoomFor(frame.size)) return false;
    this.#outbox.add(frame);
    return true;
  }

  /** Sends a frame even if the backlog is full: one that must not be refused, or one for which room was made before. */
  sendUnchecked(frame: Frame): void {
    if (!this.hasEnded) this.#outbox.add(frame);
  }

  /** Writes the frames that wait for the end of the turn now. */
  flush(): void {
    this.#outbox.flush();
  }

  /** Makes room for a frame; slower connections may be evicted. @returns Whether the frame may be sent. */
  makeRoomFor(size: number): boolean {
    return !this.hasEnded && this.#outbox.makeRoomFor(size, this);
  }

  /** Makes room for a frame that can wait: half of the backlog stays free for frames that cannot. */
  makeRoomForCatchUp(size: number): boolean {
    return !this.hasEnded && this.#outbox.makeRoomForCatchUp(size, this);
  }

  /**
   * Counts a frame of the client against its rate. Closes the connection with 1008 if the client keeps exceeding it.
   *
   * @param frames Number of frames that it counts as.
   * @returns Whether the frame is within the rate.
   */
  countAgainstRate(payload: Payload, frames: number): boolean {
    const verdict = this.#owner.rate?.count(payload, frames) ?? "allowed";
    if (verdict === "allowed") return true;
    this.#connection.slowDown?.();
    if (verdict === "excessive") this.startClosing(CLOSE_CODES.rateExceeded);
    return false;
  }

  /** Counts the next frame that is sent as an ack, until the operating system has taken it. */
  countAck(): void {
    this.#outbox.countAck();
  }

  /** Whether more acks wait than a session remembers outcomes. A client that reads its acks never has as many. */
  get isFullOfAcks(): boolean {
    return this.#outbox.hasUnsentAcks(REMEMBERED_ACKS);
  }

  /** Size of the backlog of this connection: frames that the operating system has not taken. */
  get bufferedBytes(): number {
    return this.#outbox.bufferedBytes();
  }

  /** Whether the backlog of this connection is full. */
  isSlow(): boolean {
    return this.#outbox.isSlow();
  }

  /** Ends the link: flushes the outbox and closes the connection. Drops the socket after `closeTimeoutMs`. */
  startClosing(closeCode: CloseCode): void {
    if (this.hasEnded) return;
    this.#outbox.flush();
    this.#finish(endedByRelay(closeCode));
    this.#connection.close(closeCode.code, closeCode.reason);
    this.#terminateAfterTimeout();
  }

  /** Drops the socket now. */
  terminate(): void {
    this.#connection.terminate();
  }

  get hasUnpromisedMessages(): boolean {
    const mailbox = this.hasEnded ? undefined : this.#owner.mailbox;
    return mailbox !== undefined && !mailbox.isAcknowledging && mailbox.messages > 0;
  }

  dropUnpromisedMessages(): void {
    this.#owner.mailbox?.dropOldestWhile(() => true);
  }

  get waitingSince(): number {
    const unsentSince = Math.min(this.#outbox.waitingSince, this.#incoming?.waitingSince ?? Number.POSITIVE_INFINITY);
    if (this.hasEnded) return unsentSince === Number.POSITIVE_INFINITY ? unsentSince : 0;
    const { mailbox } = this.#owner;
    return mailbox?.isAcknowledging === true ? Math.min(unsentSince, mailbox.waitingSince) : unsentSince;
  }

  /**
   * Closes the connection and frees its bytes at once. The owner learns of the end in a microtask: the caller is in the
   * middle of other work, and the owner's reaction may need memory again.
   */
  evict(): void {
    const isReceiving = this.#incoming !== undefined && this.#incoming.waitingSince < Number.POSITIVE_INFINITY;
    const { code, reason } = CLOSE_CODES.tooSlow;
    if (!this.hasEnded) {
      this.#outbox.flush();
      this.#isEvictionPending = true;
      this.#outbox.discard();
      this.#owner.onEviction(this);
      this.#connection.close(code, reason);
      queueMicrotask(() => this.#finishEviction());
    }
    if (isReceiving || this.#outbox.bufferedBytes() > 0) this.#connection.terminate();
    this.#incoming?.release();
    this.#outbox.recount();
  }

  #finishEviction(): void {
    const { code, reason } = CLOSE_CODES.tooSlow;
    this.#isEvictionPending = false;
    try {
      this.#finish(endedByRelay(CLOSE_CODES.tooSlow));
    } catch (error) {
      this.#owner.onError(error);
    }
    if (this.#wasSocketLostInEviction) this.onSocketGone(code, reason);
    else this.#terminateAfterTimeout();
  }

  hasReceivedSincePing(): boolean {
    const connection = this.#connection;
    return connection.receivedBytes !== undefined && connection.receivedBytes() !== this.#receivedBytesAtPing;
  }

  ping(): boolean {
    if (this.#connection.ping === undefined) return false;
    this.#receivedBytesAtPing = this.#connection.receivedBytes?.() ?? 0;
    this.#unansweredPings++;
    this.#connection.ping();
    return true;
  }

  onVisit(): void {
    this.#owner.onBeat();
    // The client does not read: its backlog has been full for that long.
    if (this.#outbox.isSlowFor(SLOW_BEATS)) this.startClosing(CLOSE_CODES.tooSlow);
  }

  onMiss(misses: number): void {
    this.#owner.onMiss(misses);
  }

  onLost(misses: number): void {
    this.#finish(endedByHeartbeat(misses));
    this.#connection.terminate();
  }

  #finish(ending: Ending): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#context.heartbeat.remove(this);
    this.#outbox.discard();
    this.#owner.onEnd(ending, this);
  }

  #terminateAfterTimeout(): void {
    if (this.#isSocketGone) return;
    this.#closeTimer ??= setTimeout(() => this.#connection.terminate(), this.#context.closeTimeoutMs);
  }
}
