import type { RelayError } from "./errors.ts";

/** A message that arrived. */
export interface RelayMessage<Data> {
  /** The id of its sender. */
  readonly from: string;
  /** The room that it was published in; absent where it was sent to this client alone. */
  readonly room?: string | undefined;
  /** What was sent; bytes of any kind as a Uint8Array. */
  readonly data: Data;
}

/** A member of a room, or a watched id, came, went, or lost its connection for a while. */
export interface Presence {
  readonly id: string;
  /** The room that they are in; absent where the id itself is watched. */
  readonly room?: string | undefined;
  readonly event: "joined" | "left" | "online" | "offline";
}

/** How a connection, or an attempt to connect, ended. */
export interface Ending {
  /** The close code (docs/protocol.md); 1006 where none came. */
  readonly code: number;
  readonly reason: string;
  /** Code of the refusal, such as `unauthorized` or `full`; absent where the relay has refused nothing. */
  readonly refusal?: string | undefined;
}

/** What a client can listen to. */
export interface RelayClientEvents<Data> {
  message: RelayMessage<Data>;
  presence: Presence;
  /**
   * The relay welcomed this client, for the first time or again. `resumed`: with the same id and rooms. `recovered`:
   * nothing that was sent to it was lost.
   */
  connected: { readonly id: string; readonly resumed: boolean; readonly recovered: boolean };
  /**
   * The connection was lost, or an attempt failed. `retryMs`: delay before the next attempt, in milliseconds; 0 where
   * the page goes into the back-forward cache: the next attempt comes as soon as the page is shown again.
   */
  disconnected: Ending & { readonly retryMs: number };
  /** It is over: this side closed, or the relay with a code that means so. */
  closed: Ending;
  /** The relay refused something that nobody waits for the outcome of. */
  error: RelayError;
}

/** Listeners by the name of what they listen to. */
export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<(event: Map[Name]) => void> } = {};

  /**
   * Calls the listener for each such event, until the function that is returned is called. A listener that is added
   * while an event is told hears the next one.
   *
   * @example
   * ```ts
   * const stopListening = relay.on("disconnected", ({ reason, retryMs }) => show(reason, retryMs));
   * stopListening();
   * ```
   */
  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void {
    const listeners = this.#listenersOf(name);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Calls every listener. One that throws keeps no other from being called; its error is reported as uncaught. */
  protected emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    const listeners = this.#listenersOf(name);
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #listenersOf<Name extends keyof Map>(name: Name): Set<(event: Map[Name]) => void> {
    const listeners = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners;
    return listeners;
  }
}
