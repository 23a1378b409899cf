import type { Connection } from "./connection.ts";
import type { SendError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { type Ending, Link, type LinkCare, type LinkOwner } from "./link.ts";
import type { RelayObserver } from "./observer.ts";
import type { Command, Protocol, RelayEvent } from "./protocol/protocol.ts";

/** What a session needs from the relay that it belongs to. */
export interface SessionRelay {
  readonly care: LinkCare;
  readonly observer: RelayObserver;
  route(sender: Session, command: Command): void;
  left(session: Session): void;
}

/** What an id stands for. */
export class Session implements LinkOwner {
  readonly id: string;
  readonly protocol: Protocol;
  readonly link: Link;
  readonly #relay: SessionRelay;

  constructor(id: string, protocol: Protocol, connection: Connection, relay: SessionRelay) {
    this.id = id;
    this.protocol = protocol;
    this.#relay = relay;
    this.link = new Link(connection, relay.care, this);
  }

  /** Delivers a message; `false` where too much waits for this session already. */
  deliver(event: RelayEvent): boolean {
    const frame = this.protocol.encode(event);
    if (!this.link.send(frame)) return false;
    this.#relay.observer.sent?.(this.id, frame);
    return true;
  }

  /**
   * Tells this session's client, and nobody else, what it got wrong.
   * A client that does not even read its errors loses those past its buffer, and after three beats its connection.
   */
  refuse(error: SendError): void {
    this.deliver({ type: "error", error });
  }

  received(frame: Frame): void {
    this.#relay.observer.received?.(this.id, frame);
    this.#relay.route(this, this.protocol.decode(frame));
  }

  ponged(): void {
    this.#relay.observer.beat?.(this.id);
  }

  missed(misses: number): void {
    this.#relay.observer.missed?.(this.id, misses);
  }

  ended(ending: Ending): void {
    this.#relay.left(this);
    this.#relay.observer.left?.(this.id, ending);
  }

  failed(error: unknown): void {
    this.#relay.observer.failed?.(this.id, error);
  }
}
