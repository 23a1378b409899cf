import type { Client } from "../generator/client.ts";
import type { Crowd } from "../generator/crowd.ts";
import { sleep, untilNone } from "../generator/pace.ts";
import { Histogram } from "../histogram.ts";
import type { Figures } from "../round.ts";
import { type Load, MESSAGE_COLUMNS } from "./load.ts";

export interface PingPongOptions {
  /** Count of clients. Default: 100. */
  readonly clients?: number;
  /** Messages that each client has in flight. */
  readonly inFlight: number;
  readonly messageBytes: number;
  /**
   * Which client sends when a message has arrived. `sender`: the client that sent it, so that each client has exactly
   * `inFlight` messages in flight. `receiver`: the client that got it, so that messages of a pair can meet at one
   * client, and leave it together. Default: `receiver`.
   */
  readonly next?: "sender" | "receiver";
  /** Whether frames are binary. Default: false. */
  readonly asBytes?: boolean;
  /** Whether the figures include `p50` and `p99` of a message's time. Only with one message in flight per sender. */
  readonly timed?: boolean;
}

const DEFAULT_CLIENTS = 100;
const WARM_UP_SECONDS = 2;

/** Clients in pairs. Each message that arrives is followed by another one. */
export class PingPong {
  readonly #crowd: Crowd;
  readonly #clients: readonly Client[];
  readonly #inFlight: number;
  readonly #isSendersTurn: boolean;
  readonly #times: Histogram | undefined;
  /** Time at which each client sent its message in flight. */
  readonly #sentAt: Float64Array;
  #messages = 0;
  /** Messages in flight. Counts down after the run only. */
  #outstanding = 0;
  #isRunning = false;

  constructor(crowd: Crowd, clients: readonly Client[], options: PingPongOptions) {
    this.#crowd = crowd;
    this.#clients = clients;
    this.#inFlight = options.inFlight;
    this.#isSendersTurn = options.next === "sender";
    this.#times = options.timed === true ? new Histogram() : undefined;
    this.#sentAt = new Float64Array(clients.length);
    const message = "x".repeat(options.messageBytes);
    // All messages in flight of a pair may arrive at one of the two at once, and leave it together.
    const maxInWrite = this.#isSendersTurn ? options.inFlight : options.inFlight * 2;
    for (const client of clients) {
      const other = client.index ^ 1;
      client.aim({ to: other, from: other, message, maxInWrite, asBytes: options.asBytes ?? false });
      client.onMessages = this.#onMessages;
    }
  }

  readonly #onMessages = (client: Client, messages: number): void => {
    this.#messages += messages;
    const sender = client.index ^ 1;
    if (this.#times !== undefined) {
      const now = performance.now();
      this.#times.add(now - (this.#sentAt[sender] ?? Number.NaN));
      this.#sentAt[sender] = now;
    }
    if (!this.#isRunning) this.#outstanding -= messages;
    else if (this.#isSendersTurn) this.#clients[sender]?.send(messages);
    else client.send(messages);
  };

  /** Runs for this many seconds, then waits for the messages in flight. @returns The figures of the run. */
  async run(seconds: number): Promise<Figures> {
    this.#isRunning = true;
    this.#outstanding = this.#clients.length * this.#inFlight;
    this.#sentAt.fill(performance.now());
    for (const client of this.#clients) client.send(this.#inFlight);
    await sleep(200);
    this.#messages = 0;
    this.#times?.clear();
    const stop = this.#crowd.measure();
    await sleep(seconds * 1000);
    const figures = { ...stop(this.#messages), ...this.#percentiles() };
    this.#isRunning = false;
    await untilNone(() => this.#outstanding, "messages");
    await untilNone(() => this.#clients.reduce((sum, { unacked }) => sum + unacked, 0), "acks");
    return figures;
  }

  #percentiles(): Figures {
    if (this.#times === undefined) return {};
    return { p50: this.#times.percentile(50), p99: this.#times.percentile(99) };
  }
}

/** Columns of a message's time. */
const TIME_COLUMNS: Load["columns"] = [
  { figure: "p50", title: "p50 ms", digits: 2, compared: true },
  { figure: "p99", title: "p99 ms", digits: 2, compared: true },
];

/** Returns a load of clients in pairs. `more` has what differs from other such loads in its description. */
export function pingPongLoad(name: string, title: string, options: PingPongOptions, more: Partial<Load> = {}): Load {
  const clients = options.clients ?? DEFAULT_CLIENTS;
  return {
    name,
    title,
    columns: options.timed === true ? [...MESSAGE_COLUMNS, ...TIME_COLUMNS] : MESSAGE_COLUMNS,
    needsFiles: clients >= 10_000,
    ...more,
    async prepare(crowd) {
      const pingPong = new PingPong(crowd, await crowd.open(clients), options);
      await pingPong.run(WARM_UP_SECONDS);
      return { round: ({ seconds }) => pingPong.run(seconds) };
    },
  };
}

export const pingPong1 = pingPongLoad("a", "100 clients in pairs, exactly 1 message in flight each, 64 B", {
  inFlight: 1,
  messageBytes: 64,
  next: "sender",
});
export const pingPong1Of1000 = pingPongLoad(
  "a-1000",
  "1,000 clients in pairs, exactly 1 message in flight each, 64 B",
  {
    clients: 1000,
    inFlight: 1,
    messageBytes: 64,
    next: "sender",
    timed: true,
  },
);
export const pingPong1Of10000 = pingPongLoad(
  "a-10000",
  "10,000 clients in pairs, exactly 1 message in flight each, 64 B",
  { clients: 10_000, inFlight: 1, messageBytes: 64, next: "sender", timed: true },
);
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
  { dialects: { plain: "plain", json: "json" } },
);
