import { CLOSE_CODES, type CloseCode } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import { Echo } from "./echo.ts";
import { badId, noSuchId, tooSlow } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { isId } from "./id.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { Link, LinkCare } from "./link.ts";
import type { RelayObserver } from "./observer.ts";
import { type Schedule, Turn } from "./outbox.ts";
import { plain, plainFrom } from "./protocol/plain.ts";
import type { Command } from "./protocol/protocol.ts";
import { Registry } from "./registry.ts";
import { Session, type SessionRelay } from "./session.ts";

export interface RelayOptions {
  /** Milliseconds of one beat of the heartbeat. Default: 5000. */
  readonly heartbeatMs?: number;
  /** Beats that a connection may let pass in silence before it is dropped. Default: 3. */
  readonly heartbeatMisses?: number;
  /** Default: 1 MiB a message, 1 MiB buffered for a connection, any number of connections. */
  readonly limits?: Partial<Limits>;
  /** Milliseconds that a client has to answer a close. Default: 2000. */
  readonly closeTimeoutMs?: number;
  /**
   * Calls the function once, at the end of this turn of the event loop; `setImmediate` where there is one.
   * Default: a microtask, which joins only what one frame brought about.
   */
  readonly schedule?: Schedule;
  readonly observer?: RelayObserver;
}

/** What a client said when it asked for its connection. */
export interface Handshake {
  /** Whether a delivery to this client names its sender (`?from=1`). */
  readonly withSender: boolean;
}

/** The relay: gives every connection an id, and forwards `id:message` to the connection with that id. */
export class Relay {
  readonly limits: Limits;
  readonly #registry = new Registry();
  readonly #links = new Set<Link>();
  readonly #heartbeat: Heartbeat;
  readonly #care: LinkCare;
  readonly #observer: RelayObserver;
  readonly #session: SessionRelay;
  #accepting = true;
  #drained: Promise<void> | undefined = undefined;
  #lastReleased = (): void => {};

  /** @throws {RangeError} When a number among the options is not positive. */
  constructor(options: RelayOptions = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    const closeTimeoutMs = options.closeTimeoutMs ?? 2000;
    for (const [name, value] of Object.entries({ ...this.limits, closeTimeoutMs })) {
      if (!(value > 0)) throw new RangeError(`Cannot make a relay: ${name} is ${value}`);
    }
    this.#observer = options.observer ?? {};
    this.#heartbeat = new Heartbeat({ intervalMs: options.heartbeatMs ?? 5000, misses: options.heartbeatMisses ?? 3 });
    this.#care = {
      limits: this.limits,
      turn: new Turn(options.schedule ?? queueMicrotask),
      heartbeat: this.#heartbeat,
      closeTimeoutMs,
      released: (link) => this.#release(link),
    };
    this.#session = {
      care: this.#care,
      observer: this.#observer,
      route: (sender, command) => this.#route(sender, command),
      left: (session) => this.#registry.remove(session),
    };
  }

  /** Whether the relay takes connections: it has a place left and is not shutting down. */
  get accepts(): boolean {
    return this.#accepting && this.#links.size < this.limits.maxConnections;
  }

  /** Whether the relay is shutting down, or has. */
  get isShuttingDown(): boolean {
    return !this.#accepting;
  }

  /** Sessions that can be sent to. */
  get sessions(): number {
    return this.#registry.size;
  }

  /**
   * Opens a session for the connection, with the next id.
   *
   * @returns Where the entry reports what comes from the socket.
   */
  open(connection: Connection, handshake: Handshake): Link {
    const protocol = handshake.withSender ? plainFrom : plain;
    const session = new Session(this.#registry.nextId(), protocol, connection, this.#session);
    this.#registry.add(session);
    this.#observer.connected?.(session.id);
    return this.#keep(session.link);
  }

  /** Opens an echo on the connection: each message comes back as `res:` and the message. It has no id. */
  openEcho(connection: Connection): Link {
    return this.#keep(new Echo(connection, this.#care, this.#observer).link);
  }

  /**
   * Takes no more connections, closes all with 1001 and waits for them; who has not gone after `closeTimeoutMs` is dropped.
   *
   * @returns When every connection has gone or was dropped; the same promise when called again. The same relay cannot be started again.
   */
  shutdown(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    this.#accepting = false;
    this.#heartbeat.stop();
    for (const link of this.#links) link.close(CLOSE_CODES.goingAway);
    if (this.#links.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#care.closeTimeoutMs);
      this.#lastReleased = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const link of this.#links) link.terminate();
  }

  /** A place may have gone between the upgrade's check and now. */
  #keep(link: Link): Link {
    const refused = this.#refusal();
    this.#links.add(link);
    if (refused !== undefined) link.close(refused);
    return link;
  }

  #refusal(): CloseCode | undefined {
    if (!this.#accepting) return CLOSE_CODES.goingAway;
    return this.accepts ? undefined : CLOSE_CODES.tryAgainLater;
  }

  #release(link: Link): void {
    this.#links.delete(link);
    if (this.#links.size === 0) this.#lastReleased();
  }

  #route(sender: Session, command: Command): void {
    if (command.type === "refused") {
      sender.refuse(command.error);
      return;
    }
    const receiver = this.#registry.find(command.to);
    if (receiver === undefined) {
      sender.refuse(isId(command.to) ? noSuchId(command.to) : badId(command.to));
    } else if (!receiver.deliver({ type: "message", from: sender.id, message: command.message })) {
      sender.refuse(tooSlow(command.to));
    }
  }
}
