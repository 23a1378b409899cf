import { CLOSE_CODES, type CloseCode } from "../link/close-codes.ts";
import type { Connection } from "../link/connection.ts";
import type { Ending } from "../link/ending.ts";
import { Link, type LinkContext } from "../link/link.ts";
import type { LinkOwner } from "../link/link-owner.ts";
import type { Place } from "../link/places.ts";
import { Rate } from "../link/rate.ts";
import type { TokenBucket } from "../link/token-bucket.ts";
import { internal, mailboxFull, rateLimited, type SendError, tooLarge, tooSlow } from "../protocol/errors.ts";
import type { Frame } from "../protocol/frame.ts";
import {
  type Command,
  failed,
  type Outcome,
  type Protocol,
  type RelayEvent,
  type Welcome,
} from "../protocol/protocol.ts";
import { Account } from "./account.ts";
import { AckMemory } from "./ack-memory.ts";
import { CatchUp, type CatchUps } from "./catch-up.ts";
import type { CloseCounts, MessageCounts } from "./counters.ts";
import type { FrameTimer } from "./frame-timer.ts";
import { type Grant, isGranted, type Lease } from "./grant.ts";
import { Mailbox } from "./mailbox.ts";
import { Names } from "./names.ts";
import type { RelayObserver } from "./observer.ts";
import { ServerRooms } from "./server-rooms.ts";
import type { Ticket } from "./ticket.ts";

/** Carries out the commands of clients. */
export interface CommandRouter {
  /** Carries out the command and tells its sender the outcome. */
  route(sender: Session, command: Command): void;
  /** Returns the number of frames that the command counts as against its sender's rate. */
  weigh(sender: Session, command: Command): number;
}

/** Parts and settings that all sessions of a relay share. */
export interface SessionContext {
  readonly links: LinkContext;
  readonly catchUps: CatchUps;
  /** Time that a session may be without a connection, in milliseconds. */
  readonly resumeMs: number;
  readonly observer: RelayObserver;
  readonly router: CommandRouter;
  /** Time since the relay was made, in whole milliseconds. */
  readonly uptimeMs: number;
  readonly closes: CloseCounts;
  /** Times some of the frames; absent if nobody wants to know. */
  readonly frameTimer: FrameTimer | undefined;
  /** Returns the counts of the protocol's clients. */
  countsOf(protocol: Protocol): MessageCounts;
  /** Called at least once a beat while the session has a connection. */
  onBeat(session: Session): void;
  /** The session lost its connection, and may be resumed. */
  onAway(session: Session, ending: Ending): void;
  /** Called once, when the session ends: its id must become free. */
  onEnd(session: Session, ending: Ending): void;
}

/** Longest `pong` or `sequenceAck` that does not count against the rate: several times what such a frame needs. */
const MAX_ANSWER_BYTES = 128;

const NO_NAMES: readonly string[] = [];

/** Longest delay that setTimeout accepts; longer ones fire immediately. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

/** Outcome of a delivery to one session. */
export type Delivery = "delivered" | "queued" | SendError;

/** The client behind an id. A session starts with a connection, and outlives it if its protocol numbers messages. */
export class Session implements LinkOwner {
  readonly id: string;
  readonly protocol: Protocol;
  /** Number of the session in the order of its beginning. The registry sets it. */
  serial = 0;
  /** IP address of the client, by its latest connection; `undefined` if it is not known. */
  address: string | undefined = undefined;
  /** Data that the app keeps with the session, by its latest connection. */
  data: unknown = undefined;
  /** Uptime of the relay at which the session began, in milliseconds. */
  readonly beganAtMs: number;
  /** Uptime of the relay at which its latest connection began, in milliseconds. */
  #onlineSinceMs = 0;
  /** Rooms and ids that the client may use, by its latest connection. */
  grant: Grant = {};
  /** Whether the id was chosen by the app or by an earlier process, so that a later session may have it again. */
  isNamed = false;
  /** Rate of the client, over all its connections; absent if it is unlimited. */
  rate: Rate | undefined;
  /** The session's resume tokens; absent until the first is issued. */
  ticket: Ticket | undefined = undefined;
  /** Limits the ids that are listed to the client; absent until the first list. */
  memberListBucket: TokenBucket | undefined = undefined;
  /** Unacknowledged messages; absent if the protocol does not number messages. */
  mailbox: Mailbox | undefined;
  readonly #context: SessionContext;
  readonly #account: Account;
  readonly #counts: MessageCounts;
  // Created when they are first used: most sessions use neither, and each takes 50 bytes on Bun.
  #rooms: Names | undefined = undefined;
  #watched: Names | undefined = undefined;
  #serverRooms: ServerRooms | undefined = undefined;
  /** Whether the session took over an id whose mail was lost, and its protocol has no welcome to report that. */
  #hasUnreportedLoss = false;
  #acks: AckMemory | undefined = undefined;
  #link: Link | undefined = undefined;
  /** While there is a catch-up, new messages queue behind those that the client missed. */
  #catchUp: CatchUp | undefined = undefined;
  #attempt = -1;
  #expiry: ReturnType<typeof setTimeout> | undefined = undefined;
  #hasEnded = false;
  /** Whether the relay sent a `ping` frame since the last `pong` frame. */
  #awaitsPong = false;

  constructor(id: string, protocol: Protocol, context: SessionContext) {
    this.id = id;
    this.protocol = protocol;
    this.#context = context;
    this.#counts = context.countsOf(protocol);
    this.beganAtMs = context.uptimeMs;
    this.rate = Rate.of(context.links.limits);
    this.#account = new Account(context.links.budget);
    if (protocol.numbersMessages) this.mailbox = new Mailbox(context.links.limits, this.#account);
  }

  /** Rooms that the session is in. To go through them, use `roomNames`. */
  get rooms(): Names {
    this.#rooms ??= new Names(this.#account);
    return this.#rooms;
  }

  get roomNames(): Iterable<string> {
    return this.#rooms ?? NO_NAMES;
  }

  /** Ids that the session watches. To go through them, use `watchedIds`. */
  get watched(): Names {
    this.#watched ??= new Names(this.#account);
    return this.#watched;
  }

  get watchedIds(): Iterable<string> {
    return this.#watched ?? NO_NAMES;
  }

  /** Rooms that the server put the session into, and took it out of. */
  get serverRooms(): ServerRooms {
    this.#serverRooms ??= new ServerRooms(this.#account);
    return this.#serverRooms;
  }

  /** Whether the server has ever put the session into a room, or taken it out of one. */
  get hasServerRooms(): boolean {
    return this.#serverRooms !== undefined;
  }

  /** Whether the client may use the room: its grant covers the room, or the server put it into the room. */
  mayUse(room: string): boolean {
    return isGranted(this.grant.rooms, room) || this.isPutInto(room);
  }

  /** Whether the server put the session into the room. */
  isPutInto(room: string): boolean {
    return this.#serverRooms?.entered.has(room) === true;
  }

  /** Notes that the session has left the room. */
  forgetRoom(room: string): void {
    this.#rooms?.delete(room);
    this.#serverRooms?.entered.delete(room);
  }

  /** Number of the latest attempt to connect that reached the session; -1 if the client does not number them. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Notes the number of the attempt to connect that reached the session, if the client numbers them. */
  recordAttempt(attempt: number | undefined): void {
    this.#attempt = attempt ?? this.#attempt;
  }

  /** Whether the session has a connection. */
  get isOnline(): boolean {
    return this.#link !== undefined;
  }

  /** Uptime of the relay at which its latest connection began, in milliseconds. */
  get onlineSinceMs(): number {
    return this.#onlineSinceMs;
  }

  /** Beats in a row that the connection has let pass without a sign of life. */
  get misses(): number {
    return this.#link?.pulse.misses ?? 0;
  }

  /** Bytes for the connection that the operating system has not taken yet. */
  get sendBufferBytes(): number {
    return this.#link?.bufferedBytes ?? 0;
  }

  /** Whether the client gets resume tokens. With a `resumeMs` of 0 the session still ends with its connection. */
  get canResume(): boolean {
    return this.protocol.numbersMessages;
  }

  /**
   * Takes over the mail and the rate of a session that had the same id. Call it before that session is closed. If the
   * protocols differ, the mail is lost; the next welcome to the id reports that.
   */
  takeOver(old: Session): void {
    this.rate = old.rate;
    if (this.mailbox !== undefined && old.mailbox !== undefined && old.protocol === this.protocol) {
      this.mailbox = old.mailbox;
      this.mailbox.moveTo(this.#account);
      old.mailbox = undefined;
    } else if (old.#hasUnreportedLoss || old.waitingMessages > 0 || old.hasUnseenLoss) {
      if (this.mailbox === undefined) this.#hasUnreportedLoss = true;
      else this.mailbox.countLoss();
    }
  }

  /**
   * Starts to use the connection. An earlier connection that is still open closes with 4500.
   *
   * @param place Released when the socket is gone.
   */
  attach(connection: Connection, { grant = {}, expiresInMs, data }: Lease, place?: Place): Link {
    const old = this.#link;
    const link = new Link(connection, this.#context.links, this, place);
    this.#stopCatchUp();
    this.#account.moveToOnline();
    this.#link = link;
    this.#onlineSinceMs = this.#context.uptimeMs;
    this.grant = grant;
    this.data = data;
    this.#acks = this.#acks?.forNextConnection();
    clearTimeout(this.#expiry);
    if (expiresInMs !== undefined) {
      this.#expiry = setTimeout(() => link.startClosing(CLOSE_CODES.expired), Math.min(expiresInMs, MAX_TIMEOUT_MS));
    }
    // Only now: the session ignores the end of a link that is not its present one.
    old?.startClosing(CLOSE_CODES.replaced);
    return link;
  }

  /** Ends the session, and closes its connection with the code. */
  close(closeCode: CloseCode): void {
    const { code, reason } = closeCode;
    const link = this.#link;
    this.#link = undefined;
    this.#stopCatchUp();
    clearTimeout(this.#expiry);
    this.finish({ by: "relay", code, reason, mayReturn: false });
    // The session has no link any more, so it ignores the end of this one.
    link?.startClosing(closeCode);
  }

  /** Closes the connection with a code that allows to resume the session. Does nothing if it is away. */
  disconnect(closeCode: CloseCode): void {
    this.#link?.startClosing(closeCode);
  }

  /** Sends all unacknowledged messages again. @param onDone Called when the last of them has been sent. */
  catchUp(onDone = (): void => {}): void {
    const link = this.#link;
    if (this.mailbox === undefined || link === undefined) return;
    const catchUp = new CatchUp(this.mailbox, link, () => {
      this.#catchUp = undefined;
      onDone();
    });
    this.#catchUp = catchUp;
    this.#context.catchUps.start(catchUp);
  }

  /** Whether a message was lost, and the client has not seen a welcome that reports it. */
  get hasUnseenLoss(): boolean {
    return this.mailbox?.hasUnseenLoss ?? false;
  }

  /** Sends the welcome, which also reports whether messages were lost. */
  welcome(welcome: Welcome): void {
    this.mailbox?.markLossReported();
    this.tellUnchecked(welcome);
  }

  /**
   * Delivers a message.
   *
   * @param body The message, encoded in this session's protocol and not numbered yet.
   * @returns The error, if the message was refused.
   */
  deliver(body: Frame): Delivery {
    const link = this.#link;
    const mailbox = this.mailbox;
    if (mailbox === undefined) {
      if (link?.send(body) !== true) return tooSlow(this.id);
      this.#counts.sentBytes += body.size;
      this.#context.observer.sent?.(this.id, body);
      return "delivered";
    }
    if (!mailbox.couldKeep(body.size)) return tooLarge(this.id);
    if (link === undefined) {
      if (!mailbox.makeRoomFor(body.size)) return mailboxFull(this.id);
      mailbox.add(body);
      return "queued";
    }
    if (link.isSlow()) return tooSlow(this.id);
    return mailbox.isAcknowledging
      ? this.#deliverPromised(link, mailbox, body)
      : this.#deliverUnpromised(link, mailbox, body);
  }

  /** Delivers to a client that acknowledges: the message is kept until then, or refused. */
  #deliverPromised(link: Link, mailbox: Mailbox, body: Frame): Delivery {
    // The time since which bytes wait is needed only where another connection may have to be evicted.
    const hasRoom = mailbox.hasRoomFor(body.size) || mailbox.makeRoomFor(body.size, link.waitingSince);
    if (!hasRoom) return tooSlow(this.id);
    const frame = mailbox.add(body);
    if (this.#catchUp !== undefined) return "queued";
    return this.#sendMessage(link, frame);
  }

  /** Delivers to a client that has never acknowledged: the message pushes older ones out of the mailbox. */
  #deliverUnpromised(link: Link, mailbox: Mailbox, body: Frame): Delivery {
    const isKept = mailbox.dropOldestFor(body.size);
    if (this.#catchUp !== undefined) {
      if (!isKept) return tooSlow(this.id);
      mailbox.add(body);
      return "queued";
    }
    if (!isKept && !link.makeRoomFor(body.size)) return tooSlow(this.id);
    return this.#sendMessage(link, isKept ? mailbox.add(body) : mailbox.numberUnkept(body));
  }

  #sendMessage(link: Link, frame: Frame): Delivery {
    if (link.hasEnded) return "queued";
    link.sendUnchecked(frame);
    this.#counts.sentBytes += frame.size;
    this.#context.observer.sent?.(this.id, frame);
    return "delivered";
  }

  /** Counts a message to this session that was lost. */
  countLoss(): void {
    this.mailbox?.countLoss();
  }

  /**
   * Sends the client an event. If its backlog is full, the event is dropped; if the event is an ack, the connection is
   * closed instead, as the relay promises an ack for each `ackId`. The client then resumes and repeats the command.
   *
   * @param frame The event encoded in this session's protocol, if the caller has it.
   */
  tell(event: RelayEvent, frame = this.protocol.encode(event)): void {
    if (frame === undefined || this.#link === undefined) return;
    if (!this.#link.send(frame) && event.type === "ack") this.#link.startClosing(CLOSE_CODES.tooSlow);
  }

  /**
   * Sends the client an event that it must learn of. If its backlog is full, the connection is closed instead.
   *
   * @returns `false` if the session has no connection.
   */
  tellOrClose(event: RelayEvent): boolean {
    const frame = this.protocol.encode(event);
    if (this.#link === undefined) return false;
    if (frame !== undefined && !this.#link.send(frame)) this.#link.startClosing(CLOSE_CODES.tooSlow);
    return true;
  }

  /** Sends the client an event even if its backlog is full: its welcome, a new token. */
  tellUnchecked(event: RelayEvent): void {
    const frame = this.protocol.encode(event);
    if (frame !== undefined) this.#link?.sendUnchecked(frame);
  }

  /** Sends the outcome of a command: as an ack, or without an `ackId` as an error if the command failed. */
  answer(ackId: number | undefined, outcome: Outcome): void {
    this.#counts.count(outcome);
    if (ackId !== undefined) this.tell({ type: "ack", ackId, outcome });
    else if (outcome.outcome === "failed") this.tell({ type: "error", error: outcome.error });
  }

  /** Returns the outcome of an earlier send with the `ackId`. @param subject Recipient or room of the send. */
  earlierOutcome(ackId: number, subject: string): Outcome | undefined {
    return this.#acks?.find(ackId, subject);
  }

  /** Counts bytes of a command that waits for the app. @returns `false` if there is no memory for it. */
  keepWaiting(bytes: number): boolean {
    if (!this.#account.makeRoomForMail(bytes, this.waitingSince)) return false;
    this.#account.countMail(bytes);
    return true;
  }

  /** Gives back the bytes of a command that has waited. */
  letGo(bytes: number): void {
    if (!this.#hasEnded) this.#account.countMail(-bytes);
  }

  /** Reports an error outside of the handling of a frame, tells the client, and closes its connection. */
  fail(error: unknown): void {
    this.onError(error);
    this.#link?.startClosing(CLOSE_CODES.internal);
  }

  /** Whether the acks of too many sends still wait for the operating system. */
  get isFullOfAcks(): boolean {
    return this.#link?.isFullOfAcks === true;
  }

  /** Remembers the outcome of a send. The next frame to the client must be its ack. */
  rememberOutcome(ackId: number, outcome: Outcome): void {
    this.#acks ??= new AckMemory();
    this.#acks.remember(ackId, outcome);
    this.#link?.countAck();
  }

  /** Time since which the bytes of its connection wait, by `performance.now()`; `Infinity` if none do. */
  get waitingSince(): number {
    return this.#link?.waitingSince ?? Number.POSITIVE_INFINITY;
  }

  /** Whether messages of the mailbox are still to be sent over the connection. */
  get isCatchingUp(): boolean {
    return this.#catchUp !== undefined;
  }

  /** Number of messages in the mailbox. */
  get waitingMessages(): number {
    return this.mailbox?.messages ?? 0;
  }

  /** Ends the session, whose connection has ended already. Harmless when repeated. */
  finish(ending: Ending): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.mailbox?.clear();
    this.#context.onEnd(this, ending);
    this.#account.release();
  }

  onFrame(frame: Frame): void {
    const { frameTimer } = this.#context;
    if (frameTimer?.isDue() === true) frameTimer.time(() => this.#handle(frame));
    else this.#handle(frame);
  }

  #handle(frame: Frame): void {
    this.#counts.receivedBytes += frame.size;
    this.#context.observer.received?.(this.id, frame);
    const command = this.protocol.decode(frame);
    const wasAskedFor = this.#acceptAnswer(command, frame);
    if (!wasAskedFor && !this.#countAgainstRate(frame, command)) {
      this.answer("ackId" in command ? command.ackId : undefined, failed(rateLimited()));
      return;
    }
    // The first frame shows that the client has seen its welcome.
    if (this.ticket?.markWelcomeSeen() === true) this.mailbox?.markLossSeen();
    this.#context.router.route(this, command);
  }

  #countAgainstRate(frame: Frame, command: Command): boolean {
    if (this.rate === undefined) return true;
    return this.#link?.countAgainstRate(frame.payload, this.#context.router.weigh(this, command)) === true;
  }

  /**
   * Processes an answer that the relay asked for: a `pong`, or a `sequenceAck` of messages in the mailbox.
   *
   * @returns Whether the frame was one, so that it does not count against the rate. A frame that is much longer than an
   * answer counts like any other.
   */
  #acceptAnswer(command: Command, { payload }: Frame): boolean {
    const isShort = payload.length <= MAX_ANSWER_BYTES;
    if (command.type === "sequenceAck") return (this.mailbox?.acknowledge(command.sequenceId) ?? false) && isShort;
    const isAnswer = command.type === "pong" && this.#awaitsPong;
    if (isAnswer) this.#awaitsPong = false;
    return isAnswer && isShort;
  }

  onPong(): void {
    this.#context.observer.beat?.(this.id);
  }

  onMiss(misses: number): void {
    this.#counts.misses++;
    this.#context.observer.missed?.(this.id, misses);
  }

  onBeat(): void {
    this.#awaitsPong = true;
    this.tell({ type: "ping" });
    this.#context.onBeat(this);
  }

  onEnd(ending: Ending, link: object): void {
    this.#context.closes.count(ending.code);
    if (link !== this.#link) return;
    this.#link = undefined;
    this.#stopCatchUp();
    clearTimeout(this.#expiry);
    if (this.#canGoAway && ending.mayReturn) {
      this.#moveToAway();
      this.#context.onAway(this, ending);
    } else {
      this.finish(ending);
    }
  }

  onEviction(link: object): void {
    if (link !== this.#link) return;
    if (this.#canGoAway) this.#moveToAway();
    else this.mailbox?.clear();
  }

  get #canGoAway(): boolean {
    return this.mailbox !== undefined && this.#context.resumeMs > 0;
  }

  /** Counts the session's bytes among those of absent sessions. Mail that has no room there is lost. */
  #moveToAway(): void {
    if (!this.#account.moveToAway(this.#acks?.size ?? 0)) return;
    this.mailbox?.dropOldestWhile(() => !this.#account.isWithinAwayPool);
  }

  #stopCatchUp(): void {
    if (this.#catchUp !== undefined) this.#context.catchUps.stop(this.#catchUp);
    this.#catchUp = undefined;
  }

  /** Reports an error to the observer as one of this session. */
  report(error: unknown): void {
    this.#context.observer.failed?.(this.id, error);
  }

  onError(error: unknown): void {
    this.report(error);
    this.tell({ type: "error", error: internal() });
  }
}
