import { setMaxListeners } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import { Random } from "../../tests/chaos/random.ts";
import { JSON_PROTOCOL, readFrame } from "../../tests/conformance/json-client.ts";
import type { RawClient } from "../../tests/conformance/raw.ts";
import type { Server } from "../../tests/conformance/server.ts";
import { within } from "../../tests/conformance/wait.ts";

/** Room that only misbehaving clients join. */
const ROOM = "misbehaving";
const PUBLISHED = "x".repeat(10_000);
const SIGN_OF_LIFE_MS = 500;
/** One in this many stalled clients gets much spam. */
const MUCH_SPAM_ONE_IN = 4;
const MIN_PHASE_MS = 300;
const MAX_PHASE_MS = 5000;

/** Makes another client send much or little to the id, without a check of what arrives. */
export type Spam = (id: string, amount: "much" | "little") => void;

/** Raw clients of `relay.v1.json` that stop reading, fall silent or lose their connection for good. */
export class MisbehavingClients {
  readonly #server: Server;
  readonly #spam: Spam;
  readonly #stopped = new AbortController();
  readonly #runs: readonly Promise<void>[];
  #finishedCount = 0;

  /** @param count Clients that misbehave at the same time. Each is replaced when it has left. */
  constructor(server: Server, count: number, seed: number, spam: Spam) {
    this.#server = server;
    this.#spam = spam;
    // Each client listens to the signal.
    setMaxListeners(count, this.#stopped.signal);
    this.#runs = Array.from({ length: count }, (_, index) => this.#runOneAfterAnother(new Random(seed + index)));
    for (const run of this.#runs) run.catch(() => {});
  }

  /** Count of the clients that have left. */
  get finishedCount(): number {
    return this.#finishedCount;
  }

  /** Resets all connections, and connects no more clients. @throws {Error} When the relay has refused one of them. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#runs);
  }

  async #runOneAfterAnother(random: Random): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const raw = await this.#server.openRaw({ headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL } });
      try {
        await this.#misbehave(raw, random);
      } catch (error) {
        if (!this.#stopped.signal.aborted) throw error;
      } finally {
        raw.reset();
        this.#finishedCount++;
      }
    }
  }

  async #misbehave(raw: RawClient, random: Random): Promise<void> {
    const { id } = readFrame(await raw.next());
    send(raw, { type: "join", room: ROOM }, { type: "watch", id: "1" }, { type: "watch", id: String(id) });
    await this.#wait(random.spread(MIN_PHASE_MS, MAX_PHASE_MS / 5));
    send(raw, { type: "publish", room: ROOM, data: PUBLISHED, echo: true });
    await random.pick([this.#stall, this.#fallSilent, this.#drop])(raw, String(id), random);
  }

  /** Stops reading for a while but sends signs of life; then reads everything, and leaves. */
  readonly #stall = async (raw: RawClient, id: string, random: Random): Promise<void> => {
    raw.pause();
    const signs = setInterval(() => send(raw, { type: "pong" }), SIGN_OF_LIFE_MS);
    // Few clients get enough to fill every buffer: the garbage of many would hide a leak.
    this.#spam(id, random.below(MUCH_SPAM_ONE_IN) === 0 ? "much" : "little");
    try {
      await this.#wait(random.spread(MIN_PHASE_MS, MAX_PHASE_MS));
    } finally {
      clearInterval(signs);
    }
    raw.resume();
    raw.sendClose();
    await within(raw.gone, "the relay to end the connection of a client that has sent a close frame");
  };

  /** Reads and sends nothing, until the heartbeat drops it or it resets its connection; never resumes its session. */
  readonly #fallSilent = async (raw: RawClient, id: string, random: Random): Promise<void> => {
    raw.pause();
    this.#spam(id, "little");
    await this.#wait(random.spread(MIN_PHASE_MS, MAX_PHASE_MS));
  };

  /** Loses its connection, and never resumes its session to get what is sent from then on. */
  readonly #drop = async (raw: RawClient, id: string): Promise<void> => {
    raw.reset();
    this.#spam(id, "little");
  };

  #wait(ms: number): Promise<void> {
    return after(ms, undefined, { signal: this.#stopped.signal });
  }
}

function send(raw: RawClient, ...frames: readonly object[]): void {
  for (const frame of frames) raw.text(JSON.stringify(frame));
}
