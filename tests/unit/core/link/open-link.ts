import type { Connection } from "../../../../src/core/link/connection.ts";
import type { Ending } from "../../../../src/core/link/ending.ts";
import type { Limits } from "../../../../src/core/link/limits.ts";
import { Link } from "../../../../src/core/link/link.ts";
import type { LinkOwner } from "../../../../src/core/link/link-owner.ts";
import { Frame } from "../../../../src/core/protocol/frame.ts";
import { FakeConnection, FakeTurn, fakeContext } from "../../fakes.ts";

/** Keeps the events of a link. */
export class FakeOwner implements LinkOwner {
  readonly events: string[] = [];
  readonly endings: Ending[] = [];
  readonly rate = undefined;
  beats = 0;
  /** Error that it throws at the next frame. */
  throws: Error | undefined = undefined;

  onFrame(frame: Frame): void {
    if (this.throws !== undefined) throw this.throws;
    this.events.push(`received ${frame.payload}`);
  }
  onPong(): void {
    this.events.push("ponged");
  }
  onMiss(misses: number): void {
    this.events.push(`missed ${misses}`);
  }
  onBeat(): void {
    this.beats++;
  }
  onEnd(ending: Ending): void {
    this.endings.push(ending);
  }
  onEviction(): void {
    this.events.push("evicted");
  }
  onError(error: unknown): void {
    this.events.push(`failed ${error}`);
  }
}

/** Opens a link on a fake connection, with a fake owner. */
export function openLink(
  limits: Partial<Limits> = {},
  seenAs = (connection: FakeConnection): Connection => connection,
) {
  const connection = new FakeConnection();
  const owner = new FakeOwner();
  const turn = new FakeTurn();
  const released: Link[] = [];
  const context = fakeContext(turn, limits, (link) => released.push(link));
  const link = new Link(seenAs(connection), context, owner);
  return { connection, owner, turn, released, link };
}

export function text(words: string): Frame {
  return new Frame(words, false);
}
