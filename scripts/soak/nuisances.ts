import { setMaxListeners } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import { Random } from "../../tests/chaos/random.ts";
import { JSON_PROTOCOL, readFrame } from "../../tests/conformance/json-client.ts";
import type { RawClient } from "../../tests/conformance/raw.ts";
import type { Server } from "../../tests/conformance/server.ts";
import { within } from "../../tests/conformance/wait.ts";

/** A room that only they are in. */
const ROOM = "outskirts";
const PUBLISHED = "x".repeat(10_000);
const SIGN_OF_LIFE_MS = 500;
const MUCH_ONCE_IN = 4;
const SHORTEST_MS = 300;
const LONGEST_MS = 5000;

/** Has somebody write to the id, much or a little; what becomes of it is nobody's business. */
export type Litter = (id: string, amount: "much" | "little") => void;

/** Clients that speak `relay.v1.json` by hand and behave badly: they stop reading, fall silent or lose their connection for good. */
export class Nuisances {
  readonly #server: Server;
  readonly #litter: Litter;
  readonly #over = new AbortController();
  readonly #lives: readonly Promise<void>[];
  #ended = 0;

  constructor(server: Server, count: number, seed: number, litter: Litter) {
    this.#server = server;
    this.#litter = litter;
    // Each of them waits with it.
    setMaxListeners(count, this.#over.signal);
    this.#lives = Array.from({ length: count }, (_, index) => this.#liveOnAndOn(new Random(seed + index)));
    for (const life of this.#lives) life.catch(() => {});
  }

  /** How many have come and gone. */
  get ended(): number {
    return this.#ended;
  }

  /** Has all of them vanish, and no more come. @throws {Error} When the relay refused one of them before. */
  async end(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#lives);
  }

  async #liveOnAndOn(random: Random): Promise<void> {
    while (!this.#over.signal.aborted) {
      const raw = await this.#server.openRaw({ headers: { "Sec-WebSocket-Protocol": JSON_PROTOCOL } });
      try {
        await this.#live(raw, random);
      } catch (error) {
        if (!this.#over.signal.aborted) throw error;
      } finally {
        raw.reset();
        this.#ended++;
      }
    }
  }

  async #live(raw: RawClient, random: Random): Promise<void> {
    const { id } = readFrame(await raw.next());
    say(raw, { type: "join", room: ROOM }, { type: "watch", id: "1" }, { type: "watch", id: String(id) });
    await this.#wait(random.spread(SHORTEST_MS, LONGEST_MS / 5));
    say(raw, { type: "publish", room: ROOM, data: PUBLISHED, echo: true });
    await random.pick([this.#stall, this.#fallSilent, this.#drop])(raw, String(id), random);
  }

  /** Stops reading for a while, and shows that it lives; then reads all that came, and leaves. */
  readonly #stall = async (raw: RawClient, id: string, random: Random): Promise<void> => {
    raw.pause();
    const signs = setInterval(() => say(raw, { type: "pong" }), SIGN_OF_LIFE_MS);
    // As much as fills every buffer is for the few: what the relay grows by is to be seen beside its garbage.
    this.#litter(id, random.below(MUCH_ONCE_IN) === 0 ? "much" : "little");
    try {
      await this.#wait(random.spread(SHORTEST_MS, LONGEST_MS));
    } finally {
      clearInterval(signs);
    }
    raw.resume();
    raw.sendClose();
    await within(raw.gone, "the relay to end the connection of a client that said goodbye");
  };

  /** Reads nothing, says nothing, and never comes back: perhaps the heartbeat finds it, perhaps it crashes before. */
  readonly #fallSilent = async (raw: RawClient, id: string, random: Random): Promise<void> => {
    raw.pause();
    this.#litter(id, "little");
    await this.#wait(random.spread(SHORTEST_MS, LONGEST_MS));
  };

  /** Loses its connection, and never comes back for what it is sent from then on. */
  readonly #drop = async (raw: RawClient, id: string): Promise<void> => {
    raw.reset();
    this.#litter(id, "little");
  };

  #wait(ms: number): Promise<void> {
    return after(ms, undefined, { signal: this.#over.signal });
  }
}

function say(raw: RawClient, ...frames: readonly object[]): void {
  for (const frame of frames) raw.text(JSON.stringify(frame));
}
