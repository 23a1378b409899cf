import { internal, refusedByApp, type SendError } from "./protocol/errors.ts";
import { toText } from "./protocol/frame.ts";
import { Message } from "./protocol/message.ts";
import type { Session } from "./session/session.ts";

/** One message on its way, as a hook sees it. */
export interface Passing {
  readonly from: string;
  /** The id that it is for; absent where it is published. */
  readonly to: string | undefined;
  /** The room that it is published in; absent where it is sent to an id. */
  readonly room: string | undefined;
  /** Text and JSON as a string, bytes as a Uint8Array. */
  readonly message: Message;
}

/** What the app around the relay may want to know or decide. What throws counts as a refusal, with the code `internal`. */
export interface RelayHooks {
  /** A message is about to be delivered. Return `false` to refuse it; its sender is told `forbidden`. */
  onMessage?(passing: Passing): boolean | undefined;
  /** A session has begun, with its first connection. */
  onOpen?(id: string): void;
  /** A session is over: its id, its rooms and its mailbox are gone. */
  onClose?(id: string): void;
}

export const HOOK_KINDS = { onMessage: "function", onOpen: "function", onClose: "function" } as const satisfies Record<
  keyof RelayHooks,
  "function"
>;

/** Calls the hooks of the app around the relay. What they throw harms nobody but the session that they were called for. */
export class Hooks {
  readonly #hooks: RelayHooks;

  constructor(hooks: RelayHooks = {}) {
    this.#hooks = hooks;
  }

  /** Says that the session has begun. */
  opened(session: Session): void {
    this.#run(session, this.#hooks.onOpen);
  }

  /** Says that the session is over. */
  closed(session: Session): void {
    this.#run(session, this.#hooks.onClose);
  }

  /**
   * Asks whether a message may be delivered.
   *
   * @param to The id that it is sent to; absent where it is published.
   * @param room The room that it is published in; absent where it is sent to an id.
   * @returns Why not; `undefined` where it may.
   */
  refusal(sender: Session, to: string | undefined, room: string | undefined, message: Message): SendError | undefined {
    const { onMessage } = this.#hooks;
    if (onMessage === undefined) return undefined;
    try {
      const allowed: unknown = onMessage({ from: sender.id, to, room, message: asText(message) });
      if (allowed === false) return refusedByApp(to ?? room ?? "");
      if (typeof allowed !== "object" || allowed === null) return undefined;
      // Nothing waits for it here; a promise lets nothing through, and what it rejects with is reported, and harms nobody else.
      sender.reportRejection(allowed);
      throw new TypeError("Cannot ask onMessage: it returned a promise, and must decide at once");
    } catch (error) {
      sender.report(error);
      return internal();
    }
  }

  #run(session: Session, hook: ((id: string) => unknown) | undefined): void {
    try {
      session.reportRejection(hook?.(session.id));
    } catch (error) {
      session.report(error);
    }
  }
}

/** Gives a text as a string for the app to read: some runtimes hand it over as the bytes that came. */
function asText(message: Message): Message {
  const { payload, kind } = message;
  return kind === "bytes" || typeof payload === "string" ? message : new Message(toText(payload), kind);
}
