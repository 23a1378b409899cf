import { connect, type RelayClient, RelayError } from "hono-relay/client";
import { WebSocket } from "ws";
import { Ledger } from "../../tests/chaos/ledger.ts";
import { Random } from "../../tests/chaos/random.ts";
import { until, within } from "../../tests/conformance/wait.ts";
import type { Spam } from "./misbehaving-clients.ts";

const TICK_MS = 100;
/** A participant with this many unanswered requests makes no more of them. */
const MAX_UNANSWERED = 100;
const MAX_CHARACTERS = 8000;
const ROOMS = 8;
const MAX_WATCHED = 5;
const SPAM = "x".repeat(60_000);
const SPAM_COUNTS = { much: 70, little: 2 };

/** Data of a message. The ledger counts messages from 1; in a room and in spam the number is 0. */
interface Payload {
  readonly number: number;
  readonly padding: string;
}

interface Participant {
  /** Number in the ledger. A participant that leaves is replaced by another in the same slot. */
  readonly slot: number;
  readonly client: RelayClient<Payload>;
  readonly timer: ReturnType<typeof setInterval>;
  readonly rooms: Set<string>;
  readonly watched: string[];
  /** Count of its requests that the relay has not answered. */
  unanswered: number;
  /** Count of sends to this participant that the relay has not answered. */
  incoming: number;
  isLeaving: boolean;
}

/**
 * Clients of the library that connect, send, publish, watch, lose their connection, resume and leave, and the ledger of
 * their messages.
 *
 * A participant leaves after all that was sent to it has arrived, so that the ledger must balance.
 */
export class LibraryClients {
  readonly ledger: Ledger;
  readonly #port: number;
  readonly #random: Random;
  readonly #participants: Participant[];
  /** Slots, by id. */
  readonly #slots = new Map<string, number>();
  /** Latest sockets, by slot. */
  readonly #sockets = new Map<number, WebSocket>();
  #leavingCount = 0;
  #replacedCount = 0;
  /** Recipients that the relay reported for publishes. */
  #copiesPromised = 0;
  #copiesReceived = 0;
  #isFinishing = false;

  constructor(port: number, count: number, seed: number) {
    this.#port = port;
    this.#random = new Random(seed);
    this.ledger = new Ledger(count);
    this.#participants = Array.from({ length: count }, (_, slot) => this.#connect(slot, true));
  }

  /** Waits until every participant has an id. */
  async ready(): Promise<void> {
    await within(Promise.all(this.#participants.map(({ client }) => client.ready)), "every client's first welcome");
  }

  /** Makes a random participant send to the id. */
  readonly spam: Spam = (id, amount) => {
    const from = this.#pickConnected();
    if (from === undefined) return;
    for (let count = 0; count < SPAM_COUNTS[amount]; count++) {
      this.#request(from, () => from.client.send(id, { number: 0, padding: SPAM }).catch(() => {}));
    }
  };

  /**
   * Stops all activity, and waits for the answers. Then each participant sends to each other one and leaves.
   *
   * @throws {Error} When an answer or a message doesn't arrive.
   */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    for (const { timer } of this.#participants) clearInterval(timer);
    await until(async () => this.#leavingCount === 0 && this.#isQuiet(), "an answer to every request");
    for (const from of this.#participants) {
      for (const to of this.#participants) if (from !== to) this.#sendMessage(from, to);
    }
    await until(
      async () => this.#isQuiet() && this.ledger.haveLastMessagesArrived,
      "each client's last message to each other",
    );
    await Promise.all(this.#participants.map((participant) => this.#leave(participant)));
  }

  /** Returns a sentence for each broken promise. */
  problems(): string[] {
    const problems = this.ledger.problems();
    const { acknowledgedCount, receivedCount } = this.ledger;
    if (acknowledgedCount !== receivedCount) {
      problems.push(`${acknowledgedCount} messages were acknowledged, but ${receivedCount} were received`);
    }
    if (this.#copiesPromised !== this.#copiesReceived) {
      problems.push(
        `Publishes had ${this.#copiesPromised} recipients, but ${this.#copiesReceived} copies were received`,
      );
    }
    return problems;
  }

  /** Returns the counts in one line. */
  toString(): string {
    return `${this.ledger}, ${this.#copiesReceived} from rooms, ${this.#replacedCount} clients replaced`;
  }

  /** @param isFirst Whether this is the first participant in its slot. */
  #connect(slot: number, isFirst: boolean): Participant {
    const sockets = this.#sockets;
    class RecordedSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.set(slot, this);
      }
    }
    const client = connect<Payload>(`ws://127.0.0.1:${this.#port}/ws`, {
      WebSocket: RecordedSocket,
      minDelayMs: 50,
      maxDelayMs: 500,
      connectTimeoutMs: 2000,
    });
    const participant: Participant = {
      slot,
      client,
      timer: setInterval(() => this.#act(participant), TICK_MS),
      rooms: new Set(),
      watched: [],
      unanswered: 0,
      incoming: 0,
      isLeaving: false,
    };
    const { ledger } = this;
    let isKnown = isFirst;
    client.on("connected", (event) => {
      this.#slots.set(event.id, slot);
      // The first welcome of a replacement is left out: the ledger would count it as a reconnect of the slot.
      if (isKnown) ledger.recordWelcome(slot, event);
      isKnown = true;
    });
    client.on("disconnected", () => ledger.recordDisconnect());
    client.on("closed", ({ code, reason }) => {
      if (!participant.isLeaving) ledger.addProblem(`Client ${slot} was closed for good: ${code} ${reason}`);
    });
    client.on("error", ({ code, message }) => ledger.addProblem(`Client ${slot} was told ${code}: ${message}`));
    client.on("message", ({ from, room, data }) => {
      const sender = this.#slots.get(from ?? "the server");
      if (room !== undefined) this.#copiesReceived++;
      else if (sender === undefined) ledger.addProblem(`Client ${slot} got a message from the unknown id ${from}`);
      else ledger.recordArrival(sender, slot, data.number);
    });
    return participant;
  }

  /** Makes the participant do one random thing; most of the time it sends a message. */
  #act(participant: Participant): void {
    const { client, isLeaving, unanswered } = participant;
    if (client.id === "" || isLeaving || unanswered >= MAX_UNANSWERED) return;
    const dice = this.#random.below(1000);
    if (dice < 3) this.#replace(participant);
    else if (dice < 13) this.#sockets.get(participant.slot)?.terminate();
    else if (dice < 33) this.#joinOrLeaveRoom(participant);
    else if (dice < 73) this.#publish(participant);
    else if (dice < 93) this.#watchOrUnwatch(participant);
    else {
      const to = this.#pickConnected();
      if (to !== undefined && to !== participant) this.#sendMessage(participant, to);
    }
  }

  #sendMessage(from: Participant, to: Participant): void {
    const number = this.ledger.recordSend(from.slot, to.slot);
    to.incoming++;
    this.#request(from, async () => {
      try {
        await from.client.send(to.client.id, { number, padding: this.#padding() });
        this.ledger.recordAck(from.slot, to.slot, number);
      } catch (error) {
        if (!(error instanceof RelayError)) throw error;
        this.ledger.recordRefusal(from.slot, to.slot, number, error.code);
      } finally {
        to.incoming--;
      }
    });
  }

  #joinOrLeaveRoom(participant: Participant): void {
    const name = `room-${this.#random.below(ROOMS)}`;
    if (participant.rooms.delete(name)) {
      this.#request(participant, () => this.#leaveRoom(participant, name));
    } else {
      this.#request(participant, async () => {
        await participant.client.room(name).join();
        participant.rooms.add(name);
      });
    }
  }

  #publish(participant: Participant): void {
    const [name] = participant.rooms;
    if (name === undefined) return;
    this.#request(participant, async () => {
      const recipients = await participant.client.room(name).publish({ number: 0, padding: this.#padding() });
      this.#copiesPromised += recipients;
    });
  }

  #watchOrUnwatch(participant: Participant): void {
    const { client, watched } = participant;
    const [first] = watched;
    if (first !== undefined && watched.length >= MAX_WATCHED) {
      watched.shift();
      this.#request(participant, () => client.unwatch(first));
      return;
    }
    const id = this.#pickConnected()?.client.id;
    if (id === undefined || watched.includes(id)) return;
    watched.push(id);
    this.#request(participant, () => client.watch(id));
  }

  /** Lets the participant leave for good, and connects another one in its slot. */
  async #replace(participant: Participant): Promise<void> {
    if (this.#leavingCount > this.#participants.length / 4) return;
    participant.isLeaving = true;
    clearInterval(participant.timer);
    this.#leavingCount++;
    try {
      await until(
        async () =>
          participant.unanswered === 0 && participant.incoming === 0 && this.ledger.haveAllArrivedAt(participant.slot),
        `all that was sent to client ${participant.slot} to arrive before it leaves`,
      );
      await this.#leave(participant);
      this.#replacedCount++;
      const next = this.#connect(participant.slot, false);
      this.#participants[participant.slot] = next;
      if (this.#isFinishing) clearInterval(next.timer);
      await next.client.ready;
    } catch (error) {
      this.ledger.addProblem(`Client ${participant.slot} could not be replaced: ${error}`);
    } finally {
      this.#leavingCount--;
    }
  }

  /** Leaves every room, then closes. The copy of a publish that is in flight at the close would be lost. */
  async #leave(participant: Participant): Promise<void> {
    participant.isLeaving = true;
    await Promise.all([...participant.rooms].map((name) => this.#leaveRoom(participant, name)));
    participant.client.close();
  }

  async #leaveRoom({ client }: Participant, name: string): Promise<void> {
    await client
      .room(name)
      .leave()
      .catch((error: unknown) => {
        // The library repeats the request after a resume; the first answer was lost with the connection.
        if (!(error instanceof RelayError) || error.code !== "not_in_room") throw error;
      });
  }

  /** Makes a request, and counts it as unanswered until it settles. */
  #request(participant: Participant, request: () => Promise<unknown>): void {
    participant.unanswered++;
    request()
      .catch((error: unknown) =>
        this.ledger.addProblem(`A request of client ${participant.slot} was refused: ${error}`),
      )
      .finally(() => participant.unanswered--);
  }

  #isQuiet(): boolean {
    return this.#participants.every(({ unanswered }) => unanswered === 0);
  }

  #padding(): string {
    return "x".repeat(this.#random.spread(1, MAX_CHARACTERS) - 1);
  }

  /** Picks a random participant; `undefined` where that one has no id yet or is leaving. */
  #pickConnected(): Participant | undefined {
    const participant = this.#participants[this.#random.below(this.#participants.length)];
    return participant === undefined || participant.isLeaving || participant.client.id === "" ? undefined : participant;
  }
}
