import type { Client } from "../generator/client.ts";
import type { Crowd } from "../generator/crowd.ts";
import { sleep, untilNone } from "../generator/pace.ts";
import type { Figures } from "../round.ts";
import { type Load, MESSAGE_COLUMNS } from "./load.ts";

export interface PingPongOptions {
  readonly inFlight: number;
  readonly messageBytes: number;
}

const CLIENTS = 100;
const WARM_UP_SECONDS = 2;

/** Clients in pairs; whoever receives a message sends one, so that a client always has as many under way. */
export class PingPong {
  readonly #crowd: Crowd;
  readonly #clients: readonly Client[];
  readonly #inFlight: number;
  #messages = 0;
  #owed = 0;
  #running = false;

  constructor(crowd: Crowd, clients: readonly Client[], options: PingPongOptions) {
    this.#crowd = crowd;
    this.#clients = clients;
    this.#inFlight = options.inFlight;
    const message = "x".repeat(options.messageBytes);
    for (const client of clients) {
      const other = client.index ^ 1;
      // All that a pair has under way may arrive at one of the two at once.
      client.aim({ to: other, from: other, message, most: options.inFlight * 2 });
      client.onMessages = this.#onMessages;
    }
  }

  readonly #onMessages = (client: Client, messages: number): void => {
    this.#messages += messages;
    if (this.#running) client.send(messages);
    else this.#owed -= messages;
  };

  /** Plays for so long, then lets what is under way arrive. */
  async play(seconds: number): Promise<Figures> {
    this.#running = true;
    this.#owed = this.#clients.length * this.#inFlight;
    for (const client of this.#clients) client.send(this.#inFlight);
    await sleep(200);
    this.#messages = 0;
    const stop = this.#crowd.measure();
    await sleep(seconds * 1000);
    const figures = stop(this.#messages);
    this.#running = false;
    await untilNone(() => this.#owed, "messages");
    await untilNone(() => this.#clients.reduce((sum, { unacked }) => sum + unacked, 0), "acks");
    return figures;
  }
}

/** Opens the usual 100 clients, warmed up. */
export async function openPingPong(crowd: Crowd, options: PingPongOptions): Promise<PingPong> {
  const game = new PingPong(crowd, await crowd.open(CLIENTS), options);
  await game.play(WARM_UP_SECONDS);
  return game;
}

function pingPong(name: string, title: string, options: PingPongOptions, dialects?: Load["dialects"]): Load {
  return {
    name,
    title,
    columns: MESSAGE_COLUMNS,
    ...(dialects === undefined ? {} : { dialects }),
    async prepare(crowd) {
      const game = await openPingPong(crowd, options);
      return { round: ({ seconds }) => game.play(seconds) };
    },
  };
}

export const pingPong1 = pingPong("a", "100 clients in pairs, 1 message in flight each, 64 B", {
  inFlight: 1,
  messageBytes: 64,
});
export const pingPong16 = pingPong("b", "100 clients in pairs, 16 messages in flight each, 64 B", {
  inFlight: 16,
  messageBytes: 64,
});
export const pingPongKib = pingPong("c", "100 clients in pairs, 16 messages in flight each, 1 KiB", {
  inFlight: 16,
  messageBytes: 1024,
});

/** The same as `b`, each entry in plain and in JSON, where every send is answered by an ack and messages are acknowledged. */
export const pingPongJson = pingPong(
  "h",
  "JSON sends with an ack, beside plain: 100 clients in pairs, 16 messages in flight each, 64 B",
  { inFlight: 16, messageBytes: 64 },
  { plain: "plain", json: "json" },
);
