import type { Events, RelayClientEvents, RelayMessage } from "./events.ts";
import type { Requests } from "./requests.ts";
import { drop, keep } from "./standing.ts";

/** A room of a client. Iterating over it is iterating over the client, for the messages of this room alone. */
export class Room<Data> implements AsyncIterable<RelayMessage<Data>, void> {
  readonly name: string;
  readonly #client: Events<RelayClientEvents<Data>>;
  readonly #requests: Requests;
  readonly #joined: Set<string>;
  readonly #iterate: () => AsyncIterableIterator<RelayMessage<Data>, void>;

  /** Use `room` of a client. */
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
   * Becomes a member, also in later sessions. The latest call of `join` and `leave` decides, whether or not the earlier
   * ones have settled.
   *
   * @throws {RelayError}
   */
  join(): Promise<void> {
    return keep(this.#joined, this.name, this.#ask("join"));
  }

  /** Ends the membership; harmless where there is none. @throws {RelayError} */
  leave(): Promise<void> {
    return drop(this.#joined, this.name, this.#ask("leave"));
  }

  /**
   * Publishes to the other members, and with `echo` to this one too.
   *
   * @param data As for `send` of the client.
   * @returns How many members got it, those that are away among them.
   * @throws {RelayError}
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

  /** The ids of the members, in order of joining. @throws {RelayError} */
  members(): Promise<readonly string[]> {
    return this.#ask("members");
  }

  /** As `on` of the client, for this room alone. */
  on<Name extends "message" | "presence">(
    name: Name,
    listener: (event: RelayClientEvents<Data>[Name]) => void,
  ): () => void {
    return this.#client.on(name, (event) => {
      if (event.room === this.name) listener(event);
    });
  }

  /** Gives the messages of this room from the first `next` on. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RelayMessage<Data>, void> {
    return this.#iterate();
  }

  #ask(type: "join" | "leave" | "members"): Promise<readonly string[]> {
    return this.#requests.ask({ type, room: this.name }, ({ members }) => members ?? []);
  }
}
