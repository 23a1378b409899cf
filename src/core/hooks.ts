import type { Ending } from "./link/ending.ts";
import { internal, refusedByApp, type SendError } from "./protocol/errors.ts";
import { isLongerThan, toText } from "./protocol/frame.ts";
import { Message } from "./protocol/message.ts";
import { ownedBytes } from "./protocol/owned.ts";
import type { SessionInfo } from "./server-api.ts";
import type { Session } from "./session/session.ts";
import { sessionInfo } from "./session-info.ts";

/** One message of a client before its delivery, for the hook `onMessage`. */
export interface MessageInTransit {
  /** The session that sent it. */
  readonly sender: SessionInfo;
  /** Id of the recipient; `undefined` if the message is published. */
  readonly to: string | undefined;
  /** Room that the message is published in; `undefined` if it is sent to an id. */
  readonly room: string | undefined;
  /** The message. Its payload is a string for text and JSON, a Uint8Array for bytes. */
  readonly message: Message;
}

/** Decision on a message: `false` refuses it, a Message takes its place, `true` or `undefined` lets it pass. */
export type MessageVerdict = boolean | undefined | Message;

/** Callbacks of the app around the relay. Errors that they throw go to the observer's `failed`. */
export interface RelayHooks {
  /**
   * Called before a message of a client is delivered. Its sender gets the error `forbidden` if the message is refused,
   * and `internal` if the hook throws, rejects, returns anything that is no verdict, or has not decided after 10 s.
   *
   * While a promise of the hook is pending, later frames of the same sender wait, in their order; those of others do
   * not. A sender may have 256 frames waiting; further ones fail with `too_many_unacked`. If its session ends, they are
   * dropped.
   */
  onMessage?(passing: MessageInTransit): MessageVerdict | Promise<MessageVerdict>;
  /** Called when a session begins, with its first connection. */
  onOpen?(session: SessionInfo): void;
  /** Called when a session has lost its connection, and may be resumed. */
  onAway?(session: SessionInfo, ending: Ending): void;
  /** Called when a session that was away has a connection again. */
  onBack?(session: SessionInfo): void;
  /** Called when a session has ended: its id, its rooms and its mailbox are gone. */
  onClose?(session: SessionInfo, ending: Ending): void;
  /** Called when a session has joined a room, by itself or by the server. */
  onJoin?(session: SessionInfo, room: string): void;
  /** Called when a session has left a room, by itself, by the server, or because it has ended; then before `onClose`. */
  onLeave?(session: SessionInfo, room: string): void;
}

export const HOOK_KINDS = {
  onMessage: "function",
  onOpen: "function",
  onAway: "function",
  onBack: "function",
  onClose: "function",
  onJoin: "function",
  onLeave: "function",
} as const satisfies Record<keyof RelayHooks, "function">;

/** Verdict on a message: the message to deliver, or the error for its sender. */
export type Decision = Message | SendError;

/** Calls the hooks of the app, and catches their errors. */
export class Hooks {
  readonly #hooks: RelayHooks;
  readonly #maxMessageBytes: number;

  /** @param maxMessageBytes Maximum size of a message that takes the place of another. */
  constructor(hooks: RelayHooks = {}, maxMessageBytes = Number.POSITIVE_INFINITY) {
    this.#hooks = hooks;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Whether the app decides on messages. */
  get decides(): boolean {
    return this.#hooks.onMessage !== undefined;
  }

  onOpen(session: Session): void {
    this.#tell(session, this.#hooks.onOpen, undefined);
  }

  onAway(session: Session, ending: Ending): void {
    this.#tell(session, this.#hooks.onAway, ending);
  }

  onBack(session: Session): void {
    this.#tell(session, this.#hooks.onBack, undefined);
  }

  onClose(session: Session, ending: Ending): void {
    this.#tell(session, this.#hooks.onClose, ending);
  }

  onJoin(session: Session, room: string): void {
    this.#tell(session, this.#hooks.onJoin, room);
  }

  onLeave(session: Session, room: string): void {
    this.#tell(session, this.#hooks.onLeave, room);
  }

  /**
   * Asks the app about a message.
   *
   * @param to Id of the recipient; `undefined` if the message is published.
   * @param room Room that the message is published in; `undefined` if it is sent to an id.
   * @param message A `readable` one.
   * @returns The decision, which is the same message if it may pass, or a promise of it that never rejects.
   */
  decide(
    sender: Session,
    to: string | undefined,
    room: string | undefined,
    message: Message,
  ): Decision | Promise<Decision> {
    const subject = to ?? room ?? "";
    try {
      const verdict: unknown = this.#hooks.onMessage?.({ sender: sessionInfo(sender), to, room, message });
      if (!isThenable(verdict)) return this.#read(verdict, message, subject);
      return Promise.resolve(verdict)
        .then((settled) => this.#read(settled, message, subject))
        .catch((error: unknown) => fail(sender, error));
    } catch (error) {
      return fail(sender, error);
    }
  }

  #tell<Detail>(
    session: Session,
    hook: ((session: SessionInfo, detail: Detail) => unknown) | undefined,
    detail: Detail,
  ): void {
    if (hook === undefined) return;
    try {
      reportRejection(session, hook.call(this.#hooks, sessionInfo(session), detail));
    } catch (error) {
      session.report(error);
    }
  }

  /** @throws {TypeError} When the app returned no verdict. */
  #read(verdict: unknown, message: Message, subject: string): Decision {
    if (verdict === true || verdict === undefined) return message;
    if (verdict === false) return refusedByApp(subject);
    if (!(verdict instanceof Message)) {
      throw new TypeError(`Cannot decide on a message: onMessage returned no verdict but ${typeof verdict}`);
    }
    if (isLongerThan(verdict.payload, this.#maxMessageBytes)) {
      throw new RangeError(`Cannot deliver what onMessage returned: it is over ${this.#maxMessageBytes} bytes`);
    }
    return verdict;
  }
}

function fail(sender: Session, error: unknown): SendError {
  sender.report(error);
  return internal();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Reports the rejection of a hook's promise: unhandled, it may end the process. */
function reportRejection(session: Session, result: unknown): void {
  if (!isThenable(result)) return;
  Promise.resolve(result).catch((error: unknown) => session.report(error));
}

/**
 * Returns the message as the app gets it: its text is a string, though some runtimes deliver text as bytes, and its
 * bytes are no part of a large buffer, which the app would keep in memory with them.
 */
export function readable(message: Message): Message {
  const { payload, kind } = message;
  if (typeof payload === "string") return message;
  const own = kind === "bytes" ? ownedBytes(payload) : toText(payload);
  return own === payload ? message : new Message(own, kind);
}
