import type { Events, RelayClientEvents, RelayMessage } from "./events.ts";
import type { Requests } from "./requests.ts";
import { subscribe, unsubscribe } from "./subscriptions.ts";

/**
 * A room, as one client uses it. An iterator over a room is like one over the client, for this room's messages only.
 */
export class Room<Data> implements AsyncIterable<RelayMessage<Data>, void> {
  readonly name: string;
  readonly #client: Events<RelayClientEvents<Data>>;
  readonly #requests: Requests;
  readonly #joined: Set<string>;
  readonly #iterate: () => AsyncIterableIterator<RelayMessage<Data>, void>;

  /** Apps call `room` of a client instead. */
  constructor(
    name: string,
    client: Events<RelayClientEvents<Data>>,
    requests: Requests,
    joined: Set<string>,
    iterate: () => AsyncIterableIterator<RelayMessage<Data>, void>,
  ) {
    this.name = name;
    this.#client = client;
    this.#requests = requests;
    this.#joined = joined;
    this.#iterate = iterate;
  }

  /**
   * Joins the room, also in later sessions. The latest call of `join` and `leave` counts, whether or not the earlier
   * ones have settled.
   *
   * @throws {RelayError} When the relay refuses the request, or the client is closed.
   */
  join(): Promise<void> {
    return subscribe(this.#joined, this.name, this.#ask("join"));
  }

  /** Leaves the room; harmless where the client is not in it. @throws {RelayError} When the request fails. */
  leave(): Promise<void> {
    return unsubscribe(this.#joined, this.name, this.#ask("leave"));
  }

  /**
   * Publishes data to the other members, and with `echo` also to this client.
   *
   * @param data Data as for the client's `send`.
   * @returns The number of members that the message was delivered to or queued for.
   * @throws {RelayError} When the publish fails, with a code as for the client's `send`.
   * @example
   * ```ts
   * const lobby = relay.room("lobby");
   * lobby.on("message", ({ from, data }) => show(from, data.text));
   * await lobby.join();
   * const recipients = await lobby.publish({ text: "hello, all" });
   * ```
   */
  publish(data: Data, options: { readonly echo?: boolean } = {}): Promise<number> {
    const frame = { type: "publish", room: this.name, echo: options.echo ?? false } as const;
    return this.#requests.ask(frame, ({ recipients }) => recipients ?? 0, data);
  }

  /** Returns the ids of the members, in order of joining. @throws {RelayError} When the relay refuses the request. */
  members(): Promise<readonly string[]> {
    return this.#ask("members");
  }

  /** Adds a listener, as the client's `on` does, for events of this room only. */
  on<Name extends "message" | "presence">(
    name: Name,
    listener: (event: RelayClientEvents<Data>[Name]) => void,
  ): () => void {
    return this.#client.on(name, (event) => {
      if (event.room === this.name) listener(event);
    });
  }

  /** Iterates over the messages of this room, from the first `next` on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RelayMessage<Data>, void> {
    return this.#iterate();
  }

  #ask(type: "join" | "leave" | "members"): Promise<readonly string[]> {
    return this.#requests.ask({ type, room: this.name }, ({ members }) => members ?? []);
  }
}
