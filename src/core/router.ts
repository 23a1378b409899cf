import type { Registry } from "./directory/registry.ts";
import type { Rooms } from "./directory/rooms.ts";
import { fanOut } from "./fan-out.ts";
import type { Hooks } from "./hooks.ts";
import type { Membership } from "./membership.ts";
import { badId, duplicate, noSuchId, notGranted, notInRoom, tooManyUnacked } from "./protocol/errors.ts";
import { isId } from "./protocol/id.ts";
import { type Command, failed, type Outcome } from "./protocol/protocol.ts";
import { isGranted } from "./session/grant.ts";
import type { CommandRouter, Session } from "./session/session.ts";

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

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  route(sender: Session, command: Command): void {
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

  #sendOnce(sender: Session, command: Send | Publish): void {
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
    const outcome = command.type === "send" ? this.#send(sender, command) : this.#publish(sender, command);
    if (ackId !== undefined) sender.rememberOutcome(ackId, outcome);
    sender.answer(ackId, outcome);
  }

  #send(sender: Session, { to, message }: Send): Outcome {
    if (sender.grant.to !== undefined) {
      // Patterns are matched against valid ids only: against a text of a megabyte they would take seconds.
      if (!isId(to)) return failed(badId(to));
      if (!isGranted(sender.grant.to, to)) return failed(notGranted(to));
    }
    const { registry } = this.#parts;
    const receiver = registry.find(to);
    if (receiver === undefined) return failed(isId(to) ? noSuchId(to, registry.mayReturn(to)) : badId(to));
    const refusal = this.#parts.hooks.callOnMessage(sender, receiver.id, undefined, message);
    if (refusal !== undefined) return failed(refusal);
    const delivery = receiver.deliver(receiver.protocol.encodeMessage(sender.id, undefined, message));
    if (delivery === "delivered") return DELIVERED;
    return delivery === "queued" ? QUEUED : failed(delivery);
  }

  #publish(sender: Session, { room, message, echo }: Publish): Outcome {
    if (!isId(room)) return failed(badId(room));
    if (!sender.mayUse(room)) return failed(notGranted(room));
    const members = this.#parts.rooms.membersFor(room, sender);
    if (members === undefined) return failed(notInRoom(room));
    const refusal = this.#parts.hooks.callOnMessage(sender, undefined, room, message);
    if (refusal !== undefined) return failed(refusal);
    const isExcluded = echo ? () => false : (member: Session) => member === sender;
    const recipients = fanOut(members, sender.id, room, message, isExcluded);
    return { outcome: "delivered", recipients };
  }
}

/** Returns the recipient of a send, or the room of a publish. */
function subjectOf(command: Send | Publish): string {
  return command.type === "send" ? command.to : command.room;
}
