import type { Connection } from "./link/connection.ts";
import type { Ending } from "./link/ending.ts";
import { Link, type LinkContext } from "./link/link.ts";
import type { LinkOwner } from "./link/link-owner.ts";
import type { Place } from "./link/places.ts";
import { Rate } from "./link/rate.ts";
import { rateLimited } from "./protocol/errors.ts";
import { addPrefix, Frame } from "./protocol/frame.ts";
import type { ClientOrigin } from "./relay-options.ts";
import type { RelayObserver } from "./session/observer.ts";

export interface EchoOptions {
  /** Released when the socket is gone. */
  readonly place: Place;
  readonly client?: ClientOrigin | undefined;
}

/** Connection of the demo `/echo`: sends each message back as `res:` and the message, text as text, bytes as bytes. */
export class Echo implements LinkOwner {
  readonly link: Link;
  readonly rate: Rate | undefined;
  readonly #observer: RelayObserver;

  constructor(connection: Connection, context: LinkContext, observer: RelayObserver, { place, client }: EchoOptions) {
    this.#observer = observer;
    this.rate = Rate.of(context.limits);
    this.link = new Link(connection, context, this, place);
    observer.connected?.("echo", {
      address: client?.address,
      origin: client?.origin,
      protocol: "echo",
      handshakeMs: client?.requestedAt === undefined ? undefined : performance.now() - client.requestedAt,
    });
  }

  onFrame(frame: Frame): void {
    this.#observer.received?.("echo", frame);
    if (!this.link.countAgainstRate(frame.payload, 1)) {
      const { code, message } = rateLimited();
      this.link.send(new Frame(`:error ${code} ${message}`, false));
      return;
    }
    const answer = new Frame(addPrefix("res:", frame.payload), frame.binary);
    if (this.link.send(answer)) this.#observer.sent?.("echo", answer);
  }

  onPong(): void {
    this.#observer.beat?.("echo");
  }

  onMiss(misses: number): void {
    this.#observer.missed?.("echo", misses);
  }

  onBeat(): void {}

  onEviction(): void {}

  onEnd(ending: Ending): void {
    this.#observer.left?.("echo", ending);
  }

  onError(error: unknown): void {
    this.#observer.failed?.("echo", error);
  }
}
