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
import type { Grant, Terms } from "./grant.ts";
import { Mailbox } from "./mailbox.ts";
import { Names } from "./names.ts";
import type { RelayObserver } from "./observer.ts";
import type { Ticket } from "./ticket.ts";

/** Carries out what a session's client asks for. */
export interface CommandRouter {
  route(sender: Session, command: Command): void;
  /** As how many frames the command counts against its sender's rate, for what it causes. */
  weigh(sender: Session, command: Command): number;
}

/** What a session needs from the relay that it belongs to. */
export interface SessionRelay {
  readonly links: LinkContext;
  readonly catchUps: CatchUps;
  /** Milliseconds that a session may be without a connection. */
  readonly resumeMs: number;
  readonly observer: RelayObserver;
  readonly router: CommandRouter;
  /** Called at least once a beat while the session has a connection. */
  beat(session: Session): void;
  /** The session has lost its connection and may come back. */
  away(session: Session, ending: Ending): void;
  /** The session is over; its id is free of it. */
  left(session: Session, ending: Ending): void;
}

/** Longest frame that is taken for an answer to the relay: several times as long as the client library's. */
const OWED_BYTES = 128;

/** What a timer counts up to at the most; with more it ends at once. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** What became of one delivery to one session. */
export type Delivery = "delivered" | "queued" | SendError;

/** What an id stands for. It starts with a connection; where its protocol numbers messages it can outlive it. */
export class Session implements LinkOwner {
  readonly id: string;
  readonly protocol: Protocol;
  /** What it may do; what its latest connection's bearer was granted. */
  grant: Grant = {};
  /** Rooms that it is in. */
  readonly rooms: Names;
  /** Ids that it watches. */
  readonly watched: Names;
  /** Whether another session may have its id later: it was not made up here. */
  isNamed = false;
  /** How much its client may send, over all its connections; anything where absent. */
  rate: Rate | undefined;
  /** Its resume tokens, from the first that was issued. */
  ticket: Ticket | undefined = undefined;
  /** Lists of members that its client may have; made with the first. */
  listings: TokenBucket | undefined = undefined;
  /** What it was sent and did not acknowledge, where its protocol numbers messages. */
  mailbox: Mailbox | undefined;
  readonly #relay: SessionRelay;
  readonly #account: Account;
  /** Whether mail for its id was lost when it took the id over, and no welcome could say so. */
  #owesLoss = false;
  #acks: AckMemory | undefined = undefined;
  #link: Link | undefined = undefined;
  /** While there is one, messages wait for those before them. */
  #catchUp: CatchUp | undefined = undefined;
  #attempt = -1;
  #expiry: ReturnType<typeof setTimeout> | undefined = undefined;
  #over = false;
  /** Whether a ping of its protocol waits for its answer. */
  #isAsked = false;

  constructor(id: string, protocol: Protocol, relay: SessionRelay) {
    this.id = id;
    this.protocol = protocol;
    this.#relay = relay;
    this.rate = Rate.of(relay.links.limits);
    this.#account = new Account(relay.links.budget);
    this.rooms = new Names(this.#account);
    this.watched = new Names(this.#account);
    if (protocol.numbersMessages) this.mailbox = new Mailbox(relay.links.limits, this.#account);
  }

  /** The latest of its client's attempts to connect that reached it; -1 where none was counted. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Notes that an attempt of its client to connect has reached it; nothing where the client does not count them. */
  countAttempt(attempt: number | undefined): void {
    this.#attempt = attempt ?? this.#attempt;
  }

  /** Whether it has a connection. */
  get isOnline(): boolean {
    return this.#link !== undefined;
  }

  /** Whether it can outlive its connection. */
  get canResume(): boolean {
    return this.protocol.numbersMessages;
  }

  /**
   * Takes over the mail and the rate of a session whose id it takes over; to be called before that session is closed.
   * Where the protocols differ the mail is lost, and the next welcome for the id that can say so does.
   */
  inherit(old: Session): void {
    this.rate = old.rate;
    if (this.mailbox !== undefined && old.mailbox !== undefined && old.protocol === this.protocol) {
      this.mailbox = old.mailbox;
      this.mailbox.moveTo(this.#account);
      old.mailbox = undefined;
    } else if (old.#owesLoss || old.waitingMessages > 0 || old.hasUnknownLoss) {
      if (this.mailbox === undefined) this.#owesLoss = true;
      else this.mailbox.lose();
    }
  }

  /**
   * Begins or goes on over a connection; one that is still there closes as replaced.
   *
   * @param place Released when the socket is gone.
   */
  attach(connection: Connection, { grant = {}, expiresInMs }: Terms, place?: Place): Link {
    const old = this.#link;
    const link = new Link(connection, this.#relay.links, this, place);
    this.#stopCatchUp();
    this.#account.comeBack();
    this.#link = link;
    this.grant = grant;
    this.#acks = this.#acks?.forNextConnection();
    clearTimeout(this.#expiry);
    if (expiresInMs !== undefined) {
      this.#expiry = setTimeout(() => link.startClosing(CLOSE_CODES.expired), Math.min(expiresInMs, LONGEST_TIMER_MS));
    }
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
    this.end({ by: "relay", code, reason, mayReturn: false });
    link?.startClosing(closeCode);
  }

  /** Sends again all that was not acknowledged. @param done Called when all of it is on its way. */
  catchUp(done = (): void => {}): void {
    const link = this.#link;
    if (this.mailbox === undefined || link === undefined) return;
    const catchUp = new CatchUp(this.mailbox, link, () => {
      this.#catchUp = undefined;
      done();
    });
    this.#catchUp = catchUp;
    this.#relay.catchUps.start(catchUp);
  }

  /** Whether a message for it was lost without its client knowing. */
  get hasUnknownLoss(): boolean {
    return this.mailbox?.hasUnknownLoss ?? false;
  }

  /** Tells the client that its session begins or goes on, and with it what was lost until now. */
  welcome(welcome: Welcome): void {
    this.mailbox?.tellLoss();
    this.tellAnyway(welcome);
  }

  /** Delivers a message, as this session's protocol spells it, or says why not. */
  deliver(body: Frame): Delivery {
    const link = this.#link;
    const mailbox = this.mailbox;
    if (mailbox === undefined) {
      if (link?.send(body) !== true) return tooSlow(this.id);
      this.#relay.observer.sent?.(this.id, body);
      return "delivered";
    }
    if (!mailbox.couldKeep(body.size)) return tooLarge(this.id);
    if (link === undefined) {
      if (!mailbox.hasRoomFor(body.size)) return mailboxFull(this.id);
      mailbox.add(body);
      return "queued";
    }
    if (link.isSlow()) return tooSlow(this.id);
    return mailbox.isAcknowledging ? this.#deliverKept(link, mailbox, body) : this.#deliverOnce(link, mailbox, body);
  }

  #deliverKept(link: Link, mailbox: Mailbox, body: Frame): Delivery {
    if (!mailbox.hasRoomFor(body.size, link.waitingSince)) return tooSlow(this.id);
    const frame = mailbox.add(body);
    if (this.#catchUp !== undefined) return "queued";
    return this.#handOver(link, frame);
  }

  /** To a client that has never acknowledged anything: messages are kept as long as there is room. */
  #deliverOnce(link: Link, mailbox: Mailbox, body: Frame): Delivery {
    const isKept = mailbox.makeRoomFor(body.size);
    if (this.#catchUp !== undefined) {
      if (!isKept) return tooSlow(this.id);
      mailbox.add(body);
      return "queued";
    }
    if (!isKept && !link.makeRoomFor(body.size)) return tooSlow(this.id);
    return this.#handOver(link, isKept ? mailbox.add(body) : mailbox.pass(body));
  }

  #handOver(link: Link, frame: Frame): Delivery {
    if (link.isOver) return "queued";
    link.sendUnchecked(frame);
    this.#relay.observer.sent?.(this.id, frame);
    return "delivered";
  }

  /** A message for this session was published and could not be kept. */
  lose(): void {
    this.mailbox?.lose();
  }

  /**
   * Tells the client what is no message. A client that does not read what it is told loses what goes past its buffer;
   * one that was promised an ack for everything loses its connection instead, and asks again when it is back.
   *
   * @param frame The event as this session's protocol spells it, where that is known.
   */
  tell(event: RelayEvent, frame = this.protocol.encode(event)): void {
    if (frame === undefined || this.#link === undefined) return;
    if (!this.#link.send(frame) && event.type === "ack") this.#link.startClosing(CLOSE_CODES.tooSlow);
  }

  /** Tells the client what must not be refused, whatever waits already: its welcome, a new token. */
  tellAnyway(event: RelayEvent): void {
    const frame = this.protocol.encode(event);
    if (frame !== undefined) this.#link?.sendUnchecked(frame);
  }

  /** Tells the sender what became of its command: under its `ackId`, or, without one, only what went wrong. */
  answer(ackId: number | undefined, outcome: Outcome): void {
    if (ackId !== undefined) this.tell({ type: "ack", ackId, outcome });
    else if (outcome.outcome === "failed") this.tell({ type: "error", error: outcome.error });
  }

  /** What this session was told the last time that it used the `ackId` for a send to the same subject. */
  earlierOutcome(ackId: number, subject: string): Outcome | undefined {
    return this.#acks?.find(ackId, subject);
  }

  /** Whether the client has as many sends on their way as may be: their acks have not left for it yet. */
  get isFullOfAcks(): boolean {
    return this.#link?.isFullOfAcks === true;
  }

  /** Remembers what became of a send; its ack must be the next frame to the client. */
  rememberOutcome(ackId: number, outcome: Outcome): void {
    this.#acks ??= new AckMemory();
    this.#acks.remember(ackId, outcome);
    this.#link?.countAck();
  }

  /** Since when the bytes of its connection wait, by `performance.now()`; `Infinity` where none do. */
  get waitingSince(): number {
    return this.#link?.waitingSince ?? Number.POSITIVE_INFINITY;
  }

  /** How many messages its mailbox keeps. */
  get waitingMessages(): number {
    return this.mailbox?.messages ?? 0;
  }

  /** Ends the session, which has no connection any more. Harmless when repeated. */
  end(ending: Ending): void {
    if (this.#over) return;
    this.#over = true;
    this.mailbox?.clear();
    this.#relay.left(this, ending);
    this.#account.close();
  }

  onFrame(frame: Frame): void {
    this.#relay.observer.received?.(this.id, frame);
    const command = this.protocol.decode(frame);
    const isFree = this.#isOwed(command, frame);
    if (!isFree && !this.#isWithinRate(frame, command)) {
      this.answer("ackId" in command ? command.ackId : undefined, failed(rateLimited()));
      return;
    }
    // Its first frame shows that the client has seen its welcome.
    if (this.ticket?.confirm() === true) this.mailbox?.confirmLoss();
    this.#relay.router.route(this, command);
  }

  #isWithinRate(frame: Frame, command: Command): boolean {
    if (this.rate === undefined) return true;
    return this.#link?.isWithinRate(frame.payload, this.#relay.router.weigh(this, command)) === true;
  }

  /**
   * Does what the relay itself has asked for, which counts for no rate: an answer to a ping, the receipt of a message.
   * A frame that is longer than such an answer needs to be counts like any other.
   */
  #isOwed(command: Command, { payload }: Frame): boolean {
    const isShort = payload.length <= OWED_BYTES;
    if (command.type === "sequenceAck") return (this.mailbox?.acknowledge(command.sequenceId) ?? false) && isShort;
    const isAnswer = command.type === "pong" && this.#isAsked;
    if (isAnswer) this.#isAsked = false;
    return isAnswer && isShort;
  }

  onPong(): void {
    this.#relay.observer.beat?.(this.id);
  }

  onMiss(misses: number): void {
    this.#relay.observer.missed?.(this.id, misses);
  }

  onBeat(): void {
    this.#isAsked = true;
    this.tell({ type: "ping" });
    this.#relay.beat(this);
  }

  onEnd(ending: Ending, link: object): void {
    if (link !== this.#link) return;
    this.#link = undefined;
    this.#stopCatchUp();
    clearTimeout(this.#expiry);
    if (this.#canGoAway && ending.mayReturn) {
      this.#countAway();
      this.#relay.away(this, ending);
    } else {
      this.end(ending);
    }
  }

  onEviction(link: object): void {
    if (link !== this.#link) return;
    if (this.#canGoAway) this.#countAway();
    else this.mailbox?.clear();
  }

  get #canGoAway(): boolean {
    return this.mailbox !== undefined && this.#relay.resumeMs > 0;
  }

  /** From now on all that it holds is what an absent client holds; mail for which that has no room is lost. */
  #countAway(): void {
    if (!this.#account.goAway(this.#acks?.size ?? 0)) return;
    this.mailbox?.dropOldestWhile(() => !this.#account.fitsAway);
  }

  #stopCatchUp(): void {
    if (this.#catchUp !== undefined) this.#relay.catchUps.stop(this.#catchUp);
    this.#catchUp = undefined;
  }

  /** Something of the app around the relay threw on this session's account. */
  report(error: unknown): void {
    this.#relay.observer.failed?.(this.id, error);
  }

  /** The same for what a hook returned, where that is a promise: nobody else handles its rejection, which may end all that runs here. */
  reportRejection(result: unknown): void {
    if (typeof result !== "object" || result === null) return;
    Promise.resolve(result).catch((error: unknown) => this.report(error));
  }

  onError(error: unknown): void {
    this.report(error);
    this.tell({ type: "error", error: internal() });
  }
}
