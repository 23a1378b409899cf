import type { Connection } from "./connection.ts";
import { Frame } from "./frame.ts";
import { type Ending, Link, type LinkCare, type LinkOwner } from "./link.ts";
import type { RelayObserver } from "./observer.ts";

const PREFIX = "res:";
const PREFIX_BYTES = new TextEncoder().encode(PREFIX);

/** The first demo: each message comes back to its sender behind `res:`, text as text and bytes as bytes. */
export class Echo implements LinkOwner {
  readonly link: Link;
  readonly #observer: RelayObserver;

  constructor(connection: Connection, care: LinkCare, observer: RelayObserver) {
    this.#observer = observer;
    this.link = new Link(connection, care, this);
    observer.connected?.("echo");
  }

  received(frame: Frame): void {
    this.#observer.received?.("echo", frame);
    const answer = echo(frame);
    if (this.link.send(answer)) this.#observer.sent?.("echo", answer);
  }

  ponged(): void {
    this.#observer.beat?.("echo");
  }

  missed(misses: number): void {
    this.#observer.missed?.("echo", misses);
  }

  ended(ending: Ending): void {
    this.#observer.left?.("echo", ending);
  }

  failed(error: unknown): void {
    this.#observer.failed?.("echo", error);
  }
}

function echo({ payload, binary }: Frame): Frame {
  if (typeof payload === "string") return new Frame(PREFIX + payload, binary);
  const bytes = new Uint8Array(PREFIX_BYTES.length + payload.length);
  bytes.set(PREFIX_BYTES);
  bytes.set(payload, PREFIX_BYTES.length);
  return new Frame(bytes, binary);
}
