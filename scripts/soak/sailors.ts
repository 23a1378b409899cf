import { connect, type RelayClient, RelayError } from "hono-relay/client";
import { WebSocket } from "ws";
import { Ledger } from "../../tests/chaos/ledger.ts";
import { Random } from "../../tests/chaos/random.ts";
import { until, within } from "../../tests/conformance/wait.ts";
import type { Litter } from "./nuisances.ts";

const TICK_MS = 100;
/** A client that cannot send waits with more. */
const MOST_UNANSWERED = 100;
const LARGE_CHARACTERS = 8000;
const ROOMS = 8;
const MOST_WATCHED = 5;
const LITTER = "x".repeat(60_000);
const LITTER_COUNTS = { much: 70, little: 2 };

/** What they send each other. The number is 0 where it is published in a room. */
interface Letter {
  readonly number: number;
  readonly padding: string;
}

interface Sailor {
  /** Its place in the book. Who leaves for good is followed by another in the same place. */
  readonly place: number;
  readonly client: RelayClient<Letter>;
  readonly timer: ReturnType<typeof setInterval>;
  readonly rooms: Set<string>;
  readonly watched: string[];
  /** What was asked of the relay and not answered. */
  unanswered: number;
  /** What was sent to this one and not answered. */
  incoming: number;
  isLeaving: boolean;
}

/**
 * Clients with the library that come and go, write to each other, publish, watch, lose their connection and resume; and the book of it.
 * Who leaves for good waits until all that was sent to it has arrived: so the book must come out even.
 */
export class Sailors {
  readonly ledger: Ledger;
  readonly #port: number;
  readonly #random: Random;
  readonly #sailors: Sailor[];
  /** Whose place each id is. */
  readonly #places = new Map<string, number>();
  /** Each one's latest socket. */
  readonly #sockets = new Map<number, WebSocket>();
  #leaving = 0;
  #left = 0;
  #copiesPromised = 0;
  #copiesReceived = 0;
  #isOver = false;

  constructor(port: number, count: number, seed: number) {
    this.#port = port;
    this.#random = new Random(seed);
    this.ledger = new Ledger(count);
    this.#sailors = Array.from({ length: count }, (_, place) => this.#enlist(place, true));
  }

  /** Everybody has an id. */
  async ready(): Promise<void> {
    await within(Promise.all(this.#sailors.map(({ client }) => client.ready)), "every client's first welcome");
  }

  /** Somebody writes to the id. */
  readonly litter: Litter = (id, amount) => {
    const from = this.#pickPresent();
    if (from === undefined) return;
    for (let count = 0; count < LITTER_COUNTS[amount]; count++) {
      this.#ask(from, () => from.client.send(id, { number: 0, padding: LITTER }).catch(() => {}));
    }
  };

  /** Waits for all that is under way, has everybody write to everybody once, and then leave. @throws {Error} When something does not come. */
  async goHome(): Promise<void> {
    this.#isOver = true;
    for (const { timer } of this.#sailors) clearInterval(timer);
    await until(async () => this.#leaving === 0 && this.#isQuiet(), "an answer to everything that was asked");
    for (const from of this.#sailors) for (const to of this.#sailors) if (from !== to) this.#write(from, to);
    await until(async () => this.#isQuiet() && this.ledger.lastsArrived, "the last message of each to each");
    await Promise.all(this.#sailors.map((sailor) => this.#sayGoodbye(sailor)));
  }

  /** A sentence for each promise that was broken. */
  problems(): string[] {
    const problems = this.ledger.problems();
    const { acknowledgedCount, receivedCount } = this.ledger;
    if (acknowledgedCount !== receivedCount) {
      problems.push(`${acknowledgedCount} messages were acknowledged, and ${receivedCount} received`);
    }
    if (this.#copiesPromised !== this.#copiesReceived) {
      problems.push(`Rooms promised ${this.#copiesPromised} copies, and ${this.#copiesReceived} were received`);
    }
    return problems;
  }

  /** The counts, in one line. */
  toString(): string {
    return `${this.ledger}, ${this.#copiesReceived} from rooms, ${this.#left} left and followed by others`;
  }

  /** @param isFirst Whether nobody had the place before. */
  #enlist(place: number, isFirst: boolean): Sailor {
    const sockets = this.#sockets;
    class KeptSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.set(place, this);
      }
    }
    const client = connect<Letter>(`ws://127.0.0.1:${this.#port}/ws`, {
      WebSocket: KeptSocket,
      minDelayMs: 50,
      maxDelayMs: 500,
      connectTimeoutMs: 2000,
    });
    const sailor: Sailor = {
      place,
      client,
      timer: setInterval(() => this.#act(sailor), TICK_MS),
      rooms: new Set(),
      watched: [],
      unanswered: 0,
      incoming: 0,
      isLeaving: false,
    };
    const { ledger } = this;
    let isKnown = isFirst;
    client.on("connected", (event) => {
      this.#places.set(event.id, place);
      // The book takes every welcome in a place but the first for one after a loss.
      if (isKnown) ledger.connected(place, event);
      isKnown = true;
    });
    client.on("disconnected", () => ledger.disconnected());
    client.on("closed", ({ code, reason }) => {
      if (!sailor.isLeaving) ledger.complain(`Client ${place} was closed for good: ${code} ${reason}`);
    });
    client.on("error", ({ code, message }) => ledger.complain(`Client ${place} was told ${code}: ${message}`));
    client.on("message", ({ from, room, data }) => {
      const sender = this.#places.get(from);
      if (room !== undefined) this.#copiesReceived++;
      else if (sender === undefined) ledger.complain(`Client ${place} got a message from ${from}, who is nobody`);
      else ledger.received(sender, place, data.number);
    });
    return sailor;
  }

  /** One thing that somebody does; most of the time he writes to another. */
  #act(sailor: Sailor): void {
    if (sailor.client.id === "" || sailor.isLeaving || sailor.unanswered >= MOST_UNANSWERED) return;
    const dice = this.#random.below(1000);
    if (dice < 3) this.#leaveForGood(sailor);
    else if (dice < 13) this.#sockets.get(sailor.place)?.terminate();
    else if (dice < 33) this.#joinOrLeave(sailor);
    else if (dice < 73) this.#publish(sailor);
    else if (dice < 93) this.#watch(sailor);
    else {
      const to = this.#pickPresent();
      if (to !== undefined && to !== sailor) this.#write(sailor, to);
    }
  }

  #write(from: Sailor, to: Sailor): void {
    const number = this.ledger.sent(from.place, to.place);
    to.incoming++;
    this.#ask(from, async () => {
      try {
        await from.client.send(to.client.id, { number, padding: this.#padding() });
        this.ledger.acknowledged(from.place, to.place, number);
      } catch (error) {
        if (!(error instanceof RelayError)) throw error;
        this.ledger.refused(from.place, to.place, number, error.code);
      } finally {
        to.incoming--;
      }
    });
  }

  #joinOrLeave(sailor: Sailor): void {
    const name = `room-${this.#random.below(ROOMS)}`;
    if (sailor.rooms.delete(name)) {
      this.#ask(sailor, () => this.#leaveRoom(sailor, name));
    } else {
      this.#ask(sailor, async () => {
        await sailor.client.room(name).join();
        sailor.rooms.add(name);
      });
    }
  }

  #publish(sailor: Sailor): void {
    const [name] = sailor.rooms;
    if (name === undefined) return;
    this.#ask(sailor, async () => {
      const recipients = await sailor.client.room(name).publish({ number: 0, padding: this.#padding() });
      this.#copiesPromised += recipients;
    });
  }

  #watch(sailor: Sailor): void {
    const { client, watched } = sailor;
    const [first] = watched;
    if (first !== undefined && watched.length >= MOST_WATCHED) {
      watched.shift();
      this.#ask(sailor, () => client.unwatch(first));
      return;
    }
    const id = this.#pickPresent()?.client.id;
    if (id === undefined || watched.includes(id)) return;
    watched.push(id);
    this.#ask(sailor, () => client.watch(id));
  }

  async #leaveForGood(sailor: Sailor): Promise<void> {
    if (this.#leaving > this.#sailors.length / 4) return;
    sailor.isLeaving = true;
    clearInterval(sailor.timer);
    this.#leaving++;
    try {
      await until(
        async () => sailor.unanswered === 0 && sailor.incoming === 0 && this.ledger.arrivedAt(sailor.place),
        `all that was sent to client ${sailor.place} to arrive before it leaves`,
      );
      await this.#sayGoodbye(sailor);
      this.#left++;
      const next = this.#enlist(sailor.place, false);
      this.#sailors[sailor.place] = next;
      if (this.#isOver) clearInterval(next.timer);
      await next.client.ready;
    } catch (error) {
      this.ledger.complain(`Client ${sailor.place} could not leave and be followed: ${error}`);
    } finally {
      this.#leaving--;
    }
  }

  /** Leaves its rooms first: a copy that is under way when it closes would be promised to nobody. */
  async #sayGoodbye(sailor: Sailor): Promise<void> {
    sailor.isLeaving = true;
    await Promise.all([...sailor.rooms].map((name) => this.#leaveRoom(sailor, name)));
    sailor.client.close();
  }

  async #leaveRoom({ client }: Sailor, name: string): Promise<void> {
    await client
      .room(name)
      .leave()
      .catch((error: unknown) => {
        // Asked again after a resume, when the first answer was lost with the connection.
        if (!(error instanceof RelayError) || error.code !== "not_in_room") throw error;
      });
  }

  /** Keeps count of what is not answered. */
  #ask(sailor: Sailor, ask: () => Promise<unknown>): void {
    sailor.unanswered++;
    ask()
      .catch((error: unknown) => this.ledger.complain(`Client ${sailor.place} was refused something: ${error}`))
      .finally(() => sailor.unanswered--);
  }

  #isQuiet(): boolean {
    return this.#sailors.every(({ unanswered }) => unanswered === 0);
  }

  #padding(): string {
    return "x".repeat(this.#random.spread(1, LARGE_CHARACTERS) - 1);
  }

  /** Somebody who has an id and stays. */
  #pickPresent(): Sailor | undefined {
    const sailor = this.#sailors[this.#random.below(this.#sailors.length)];
    return sailor === undefined || sailor.isLeaving || sailor.client.id === "" ? undefined : sailor;
  }
}
