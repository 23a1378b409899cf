import type { Registry } from "./directory/registry.ts";
import type { Rooms } from "./directory/rooms.ts";
import { fanOut } from "./fan-out.ts";
import { type Decision, type Hooks, readable } from "./hooks.ts";
import type { Membership } from "./membership.ts";
import {
  badId,
  duplicate,
  noSuchId,
  notGranted,
  notInRoom,
  type SendError,
  tooManyUnacked,
} from "./protocol/errors.ts";
import { isId } from "./protocol/id.ts";
import { Message } from "./protocol/message.ts";
import { type Command, failed, type Outcome } from "./protocol/protocol.ts";
import { isGranted } from "./session/grant.ts";
import type { CommandRouter, Session } from "./session/session.ts";
import { type MessageCommand, Undecided } from "./undecided.ts";

export interface RouterParts {
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly membership: Membership;
  readonly hooks: Hooks;
}

type Send = Extract<Command, { type: "send" }>;
type Publish = Extract<Command, { type: "publish" }>;

const DELIVERED: Outcome = { outcome: "delivered" };
const QUEUED: Outcome = { outcome: "queued" };

/** Carries out the commands of clients, and tells each client the outcomes. */
export class Router implements CommandRouter {
  readonly #parts: RouterParts;
  readonly #undecided = new Undecided((sender, command) => this.#carryOut(sender, command));

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  route(sender: Session, command: Command): void {
    if (this.#undecided.isEmpty || !this.#undecided.defer(sender, command)) this.#carryOut(sender, command);
  }

  /** Drops the commands of a session that has ended, on which the app has not decided. */
  forget(sender: Session): void {
    if (!this.#undecided.isEmpty) this.#undecided.forget(sender);
  }

  #carryOut(sender: Session, command: Command): void {
    switch (command.type) {
      case "send":
      case "publish":
        this.#sendOnce(sender, command);
        return;
      case "join":
      case "leave":
      case "members":
        sender.answer(command.ackId, this.#parts.membership.runRoomCommand(sender, command));
        return;
      case "watch":
      case "unwatch":
        this.#parts.membership.runWatchCommand(sender, command);
        return;
      case "refused":
        sender.answer(command.ackId, failed(command.error));
        return;
      case "whoami":
        sender.tell({ type: "whoami", id: sender.id });
        return;
      case "ping":
        sender.tell({ type: "pong" });
        return;
      case "help":
        sender.tell({ type: "help" });
        return;
      case "pong":
      case "sequenceAck":
        return;
      default:
        // The compiler asks for every command here.
        command satisfies never;
    }
  }

  weigh(sender: Session, command: Command): number {
    return this.#parts.membership.weigh(sender, command);
  }

  #sendOnce(sender: Session, command: MessageCommand): void {
    const { ackId } = command;
    const original = ackId === undefined ? undefined : sender.earlierOutcome(ackId, subjectOf(command));
    if (ackId !== undefined && original !== undefined) {
      sender.answer(ackId, { outcome: "failed", error: duplicate(ackId), original });
      return;
    }
    if (ackId !== undefined && sender.isFullOfAcks) {
      sender.answer(ackId, failed(tooManyUnacked()));
      return;
    }
    if (this.#parts.hooks.decides) this.#sendDecided(sender, command);
    else this.#finish(sender, command, this.#deliver(sender, command, command.message));
  }

  /** Asks the app about the message, if it could be delivered now, and does what the app decides. */
  #sendDecided(sender: Session, command: MessageCommand): void {
    const isSend = command.type === "send";
    const found = isSend ? this.#findReceiver(sender, command.to) : this.#findMembers(sender, command.room);
    if ("code" in found) {
      this.#finish(sender, command, failed(found));
      return;
    }
    const [to, room] = isSend ? [command.to, undefined] : [undefined, command.room];
    const message = readable(command.message);
    const decision = this.#parts.hooks.decide(sender, to, room, message);
    if (decision instanceof Promise) {
      const kept = { ...command, message };
      this.#undecided.hold(sender, kept, decision, (held, decided) => this.#obey(sender, held, decided));
    } else {
      // The message as it came needs no encoding where its text is bytes.
      this.#obey(sender, command, decision === message ? command.message : decision);
    }
  }

  #obey(sender: Session, command: MessageCommand, decided: Decision): void {
    const isMessage = decided instanceof Message;
    this.#finish(sender, command, isMessage ? this.#deliver(sender, command, decided) : failed(decided));
  }

  /** Remembers the outcome of a message, and tells it the sender. */
  #finish(sender: Session, { ackId }: MessageCommand, outcome: Outcome): void {
    if (ackId !== undefined) sender.rememberOutcome(ackId, outcome);
    sender.answer(ackId, outcome);
  }

  /** Delivers a message to the receivers of the command. */
  #deliver(sender: Session, command: MessageCommand, message: Message): Outcome {
    return command.type === "send" ? this.#send(sender, command, message) : this.#publish(sender, command, message);
  }

  #send(sender: Session, { to }: Send, message: Message): Outcome {
    const receiver = this.#findReceiver(sender, to);
    if ("code" in receiver) return failed(receiver);
    const delivery = receiver.deliver(receiver.protocol.encodeMessage(sender.id, undefined, message));
    if (delivery === "delivered") return DELIVERED;
    return delivery === "queued" ? QUEUED : failed(delivery);
  }

  #publish(sender: Session, { room, echo }: Publish, message: Message): Outcome {
    const members = this.#findMembers(sender, room);
    if ("code" in members) return failed(members);
    const isExcluded = echo ? () => false : (member: Session) => member === sender;
    const recipients = fanOut(members, sender.id, room, message, isExcluded);
    return { outcome: "delivered", recipients };
  }

  #findReceiver(sender: Session, to: string): Session | SendError {
    if (sender.grant.to !== undefined) {
      // Patterns are matched against valid ids only: against a text of a megabyte they would take seconds.
      if (!isId(to)) return badId(to);
      if (!isGranted(sender.grant.to, to)) return notGranted(to);
    }
    const { registry } = this.#parts;
    return registry.find(to) ?? (isId(to) ? noSuchId(to, registry.mayReturn(to)) : badId(to));
  }

  #findMembers(sender: Session, room: string): ReadonlySet<Session> | SendError {
    if (!isId(room)) return badId(room);
    if (!sender.mayUse(room)) return notGranted(room);
    return this.#parts.rooms.membersFor(room, sender) ?? notInRoom(room);
  }
}

/** Returns the recipient of a send, or the room of a publish. */
function subjectOf(command: MessageCommand): string {
  return command.type === "send" ? command.to : command.room;
}
