import type { Client } from "../generator/client.ts";
import type { Crowd } from "../generator/crowd.ts";
import { sleep, untilNone } from "../generator/pace.ts";
import type { Figures } from "../round.ts";
import { type Load, MESSAGE_COLUMNS } from "./load.ts";

export interface PingPongOptions {
  /** Messages that each client has in flight. */
  readonly inFlight: number;
  readonly messageBytes: number;
  /**
   * Which client sends when a message has arrived. `sender`: the client that sent it, so that each client has exactly
   * `inFlight` messages in flight. `receiver`: the client that got it, so that messages of a pair can meet at one
   * client, and leave it together. Default: `receiver`.
   */
  readonly next?: "sender" | "receiver";
}

const CLIENTS = 100;
const WARM_UP_SECONDS = 2;

/** Clients in pairs. Each message that arrives is followed by another one. */
export class PingPong {
  readonly #crowd: Crowd;
  readonly #clients: readonly Client[];
  readonly #inFlight: number;
  readonly #isSendersTurn: boolean;
  #messages = 0;
  /** Messages in flight. Counts down after the run only. */
  #outstanding = 0;
  #isRunning = false;

  constructor(crowd: Crowd, clients: readonly Client[], options: PingPongOptions) {
    this.#crowd = crowd;
    this.#clients = clients;
    this.#inFlight = options.inFlight;
    this.#isSendersTurn = options.next === "sender";
    const message = "x".repeat(options.messageBytes);
    for (const client of clients) {
      const other = client.index ^ 1;
      // All messages in flight of a pair may arrive at one of the two at once.
      client.aim({ to: other, from: other, message, maxInWrite: options.inFlight * 2 });
      client.onMessages = this.#onMessages;
    }
  }

  readonly #onMessages = (client: Client, messages: number): void => {
    this.#messages += messages;
    if (!this.#isRunning) this.#outstanding -= messages;
    else if (this.#isSendersTurn) this.#clients[client.index ^ 1]?.send(messages);
    else client.send(messages);
  };

  /** Runs for this many seconds, then waits for the messages in flight. @returns The figures of the run. */
  async run(seconds: number): Promise<Figures> {
    this.#isRunning = true;
    this.#outstanding = this.#clients.length * this.#inFlight;
    for (const client of this.#clients) client.send(this.#inFlight);
    await sleep(200);
    this.#messages = 0;
    const stop = this.#crowd.measure();
    await sleep(seconds * 1000);
    const figures = stop(this.#messages);
    this.#isRunning = false;
    await untilNone(() => this.#outstanding, "messages");
    await untilNone(() => this.#clients.reduce((sum, { unacked }) => sum + unacked, 0), "acks");
    return figures;
  }
}

/** Opens 100 clients, and warms the server up. */
export async function openPingPong(crowd: Crowd, options: PingPongOptions): Promise<PingPong> {
  const pingPong = new PingPong(crowd, await crowd.open(CLIENTS), options);
  await pingPong.run(WARM_UP_SECONDS);
  return pingPong;
}

function pingPongLoad(name: string, title: string, options: PingPongOptions, dialects?: Load["dialects"]): Load {
  return {
    name,
    title,
    columns: MESSAGE_COLUMNS,
    ...(dialects === undefined ? {} : { dialects }),
    async prepare(crowd) {
      const pingPong = await openPingPong(crowd, options);
      return { round: ({ seconds }) => pingPong.run(seconds) };
    },
  };
}

export const pingPong1 = pingPongLoad("a", "100 clients in pairs, exactly 1 message in flight each, 64 B", {
  inFlight: 1,
  messageBytes: 64,
  next: "sender",
});
export const pingPongMeeting = pingPongLoad("a-meet", "100 clients in pairs with 2 messages that may meet, 64 B", {
  inFlight: 1,
  messageBytes: 64,
});
export const pingPong16 = pingPongLoad("b", "100 clients in pairs, 16 messages in flight each, 64 B", {
  inFlight: 16,
  messageBytes: 64,
});
export const pingPongKib = pingPongLoad("c", "100 clients in pairs, 16 messages in flight each, 1 KiB", {
  inFlight: 16,
  messageBytes: 1024,
});

/** Same as `b`, each entry in plain and in JSON. In JSON every send gets an ack, and clients acknowledge messages. */
export const pingPongJson = pingPongLoad(
  "h",
  "JSON sends with an ack, beside plain: 100 clients in pairs, 16 messages in flight each, 64 B",
  { inFlight: 16, messageBytes: 64 },
  { plain: "plain", json: "json" },
);
