import type { Decision } from "./hooks.ts";
import { REMEMBERED_ACKS } from "./link/limits.ts";
import { internal, tooManyUnacked } from "./protocol/errors.ts";
import { Message } from "./protocol/message.ts";
import { owned, ownedBytes } from "./protocol/owned.ts";
import { type Command, failed } from "./protocol/protocol.ts";
import type { Session } from "./session/session.ts";

/** Time that the app has to decide on a message, in milliseconds. */
const DECISION_MS = 10_000;

/** Frames of one sender that may wait, as many as the sends that a client may have without an ack. */
const MAX_WAITING = REMEMBERED_ACKS;

/** Counted bytes of a waiting command in addition to its text and its data. */
const COMMAND_BYTES = 256;

export type MessageCommand = Extract<Command, { type: "send" | "publish" }>;

/** Pending decision and waiting frames of one sender. */
interface Wait {
  /** The message on which the app decides; `undefined` while the commands after it are carried out. */
  undecided: MessageCommand | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Commands that came after it, in order. */
  readonly commands: Command[];
}

/**
 * Holds the commands of senders on whose message the app has not decided yet, so that each sender's commands keep their
 * order. They count in the sender's memory.
 */
export class Undecided {
  readonly #carryOut: (sender: Session, command: Command) => void;
  readonly #waits = new Map<Session, Wait>();

  /** @param carryOut Carries out a command that has waited. It may call `hold`. */
  constructor(carryOut: (sender: Session, command: Command) => void) {
    this.#carryOut = carryOut;
  }

  /** Whether no sender waits. */
  get isEmpty(): boolean {
    return this.#waits.size === 0;
  }

  /**
   * Puts the command behind the sender's earlier ones, if these wait. One for which there is no room is answered.
   *
   * @returns `false` if the command need not wait.
   */
  defer(sender: Session, command: Command): boolean {
    const wait = this.#waits.get(sender);
    if (wait === undefined || command.type === "pong" || command.type === "sequenceAck") return false;
    const kept = ownedCommand(command);
    if (wait.commands.length + 1 < MAX_WAITING && sender.keepWaiting(sizeOf(kept))) wait.commands.push(kept);
    else sender.answer("ackId" in command ? command.ackId : undefined, failed(tooManyUnacked()));
    return true;
  }

  /**
   * Waits for the decision on a message. If there is no room for it, it is answered, and the decision is ignored.
   *
   * @param onDecision Called with the decision in time, unless the session has ended.
   */
  hold(
    sender: Session,
    command: MessageCommand,
    decision: Promise<Decision>,
    onDecision: (command: MessageCommand, decision: Decision) => void,
  ): void {
    const kept = ownedMessage(command);
    if (!sender.keepWaiting(sizeOf(kept))) {
      sender.answer(command.ackId, failed(tooManyUnacked()));
      return;
    }
    const wait = this.#waits.get(sender) ?? { undecided: undefined, timer: undefined, commands: [] };
    this.#waits.set(sender, wait);
    const proceed = (decided: Decision): void => {
      if (this.#waits.get(sender) === wait && wait.undecided === kept) {
        this.#proceed(sender, wait, kept, () => onDecision(kept, decided));
      }
    };
    wait.undecided = kept;
    wait.timer = setTimeout(() => {
      sender.report(new Error(`Cannot deliver a message: onMessage has not decided in ${DECISION_MS} ms`));
      proceed(internal());
    }, DECISION_MS);
    decision.then(proceed);
  }

  /** Drops what the sender waits for, as its session has ended. Its memory is given back with the session's. */
  forget(sender: Session): void {
    clearTimeout(this.#waits.get(sender)?.timer);
    this.#waits.delete(sender);
  }

  #proceed(sender: Session, wait: Wait, command: MessageCommand, onDecision: () => void): void {
    clearTimeout(wait.timer);
    wait.undecided = undefined;
    sender.letGo(sizeOf(command));
    guard(sender, onDecision);
    while (this.#waits.get(sender) === wait && wait.undecided === undefined) {
      const next = wait.commands.shift();
      if (next === undefined) {
        this.#waits.delete(sender);
        return;
      }
      sender.letGo(sizeOf(next));
      guard(sender, () => this.#carryOut(sender, next));
    }
  }
}

/** Runs a part of the relay's work outside of the handling of a frame. */
function guard(sender: Session, run: () => void): void {
  try {
    run();
  } catch (error) {
    sender.fail(error);
  }
}

/** Returns the command with copies of its texts and bytes: parts of a frame would keep the whole frame in memory. */
function ownedCommand(command: Command): Command {
  if ("message" in command) return ownedMessage(command);
  if ("room" in command) return { ...command, room: owned(command.room) };
  return "id" in command ? { ...command, id: owned(command.id) } : command;
}

function ownedMessage(command: MessageCommand): MessageCommand {
  const { payload, kind } = command.message;
  const message = typeof payload === "string" ? command.message : new Message(ownedBytes(payload), kind);
  return command.type === "send"
    ? { ...command, to: owned(command.to), message }
    : { ...command, room: owned(command.room), message };
}

/** Returns the counted bytes of a command. */
function sizeOf(command: Command): number {
  let bytes = COMMAND_BYTES;
  if ("message" in command) bytes += command.message.payload.length;
  if ("to" in command) bytes += command.to.length;
  if ("room" in command) bytes += command.room.length;
  if ("id" in command) bytes += command.id.length;
  return bytes;
}
