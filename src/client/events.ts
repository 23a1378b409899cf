import type { RelayError } from "./errors.ts";

/** A message that arrived. */
export interface RelayMessage<Data> {
  /** The id of its sender; `undefined` where the relay's server sent it. */
  readonly from: string | undefined;
  /** The room that the message was published in; absent where it was sent to this client only. */
  readonly room?: string | undefined;
  /** The data that was sent; bytes of any kind as a Uint8Array. */
  readonly data: Data;
}

/** A change of a room's member or of a watched id: it came, went, or lost or regained its connection. */
export interface Presence {
  readonly id: string;
  /** The room of the member; absent for a watched id. */
  readonly room?: string | undefined;
  readonly event: "joined" | "left" | "online" | "offline";
}

/** How a connection, or an attempt to connect, ended. */
export interface Ending {
  /** The close code (docs/protocol.md); 1006 where no close frame came. */
  readonly code: number;
  readonly reason: string;
  /** Code of the refusal, such as `unauthorized` or `full`; absent where the relay did not refuse the connection. */
  readonly refusal?: string | undefined;
}

/** The events of a client, by name. */
export interface RelayClientEvents<Data> {
  message: RelayMessage<Data>;
  presence: Presence;
  /**
   * The relay welcomed this client, for the first time or again. `resumed`: the client has the same id and rooms as
   * before. `recovered`: no message to the client was lost.
   */
  connected: { readonly id: string; readonly resumed: boolean; readonly recovered: boolean };
  /**
   * The connection was lost, or an attempt to connect failed. `retryMs`: delay before the next attempt, in
   * milliseconds. It is 0 where the relay restarts, and where the page goes into the back-forward cache; in the cache
   * the next attempt comes when the page is shown again.
   */
  disconnected: Ending & { readonly retryMs: number };
  /** The client is closed for good: by the app, or by the relay with a final code. */
  closed: Ending;
  /** The relay reported an error that belongs to no send and no command. */
  error: RelayError;
}

/** Listeners for events, by the event's name. */
export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<(event: Map[Name]) => void> } = {};

  /**
   * Adds a listener, which runs for each event of this name. A listener that is added while an event is emitted runs
   * from the next event on.
   *
   * @returns A function that removes the listener.
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

  /** Calls every listener. An error that one of them throws is reported as uncaught, and does not stop the others. */
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
    this.#listeners[name] ??= new Set();
    return this.#listeners[name];
  }
}
