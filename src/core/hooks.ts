import { internal, refusedByApp, type SendError } from "./protocol/errors.ts";
import { toText } from "./protocol/frame.ts";
import { Message } from "./protocol/message.ts";
import type { Session } from "./session/session.ts";

/** One message before its delivery, for the hook `onMessage`. */
export interface MessageInTransit {
  /** Id of the sender. */
  readonly from: string;
  /** Id of the recipient; `undefined` if the message is published. */
  readonly to: string | undefined;
  /** Room that the message is published in; `undefined` if it is sent to an id. */
  readonly room: string | undefined;
  /** The message. Its payload is a string for text and JSON, a Uint8Array for bytes. */
  readonly message: Message;
}

/** Callbacks of the app around the relay. Errors that they throw go to the observer's `failed`. */
export interface RelayHooks {
  /**
   * Called before a message is delivered. Return `false` to refuse it; its sender gets the error `forbidden`. If the
   * hook throws or returns a promise, the message is refused with the error `internal`.
   */
  onMessage?(passing: MessageInTransit): boolean | undefined;
  /** Called when a session begins, with its first connection. */
  onOpen?(id: string): void;
  /** Called when a session has ended: its id, its rooms and its mailbox are gone. */
  onClose?(id: string): void;
}

export const HOOK_KINDS = { onMessage: "function", onOpen: "function", onClose: "function" } as const satisfies Record<
  keyof RelayHooks,
  "function"
>;

/** Calls the hooks of the app, and catches their errors. */
export class Hooks {
  readonly #hooks: RelayHooks;

  constructor(hooks: RelayHooks = {}) {
    this.#hooks = hooks;
  }

  /** Calls `onOpen` for the session. */
  callOnOpen(session: Session): void {
    this.#run(session, this.#hooks.onOpen);
  }

  /** Calls `onClose` for the session. */
  callOnClose(session: Session): void {
    this.#run(session, this.#hooks.onClose);
  }

  /**
   * Calls `onMessage` for a message.
   *
   * @param to Id of the recipient; `undefined` if the message is published.
   * @param room Room that the message is published in; `undefined` if it is sent to an id.
   * @returns The error for the sender if the hook refused the message; `undefined` if it may be delivered.
   */
  callOnMessage(
    sender: Session,
    to: string | undefined,
    room: string | undefined,
    message: Message,
  ): SendError | undefined {
    const { onMessage } = this.#hooks;
    if (onMessage === undefined) return undefined;
    try {
      const allowed: unknown = onMessage({ from: sender.id, to, room, message: asText(message) });
      if (allowed === false) return refusedByApp(to ?? room ?? "");
      if (typeof allowed !== "object" || allowed === null) return undefined;
      reportRejection(sender, allowed);
      throw new TypeError("Cannot ask onMessage: it returned a promise, and must decide at once");
    } catch (error) {
      sender.report(error);
      return internal();
    }
  }

  #run(session: Session, hook: ((id: string) => unknown) | undefined): void {
    try {
      reportRejection(session, hook?.(session.id));
    } catch (error) {
      session.report(error);
    }
  }
}

/** Reports the rejection of a hook's promise: unhandled, it may end the process. */
function reportRejection(session: Session, result: unknown): void {
  if (typeof result !== "object" || result === null) return;
  Promise.resolve(result).catch((error: unknown) => session.report(error));
}

/** Returns the message with its text as a string: some runtimes deliver text as bytes. */
function asText(message: Message): Message {
  const { payload, kind } = message;
  return kind === "bytes" || typeof payload === "string" ? message : new Message(toText(payload), kind);
}
