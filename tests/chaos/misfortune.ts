import type { Wire } from "./proxy.ts";
import type { Random } from "./random.ts";

const FEWEST_BYTES = 100;
const MOST_BYTES = 200_000;
const SHORTEST_STALL_MS = 20;
const LONGEST_STALL_MS = 3000;

/** What a network can do to a connection. Each is given the wire, and something to call when the wire has recovered. */
type Fate = (wire: Wire, recover: (afterwards: () => void) => void) => void;

const FATES: readonly [Fate, ...Fate[]] = [
  (wire) => wire.cut(),
  (wire) => wire.reset(),
  (wire) => wire.up.end(),
  (wire) => wire.down.end(),
  (wire) => wire.vanish(),
  (wire) => wire.up.stall(),
  (wire) => wire.down.stall(),
  // One end learns of it, the other never does.
  (wire) => {
    wire.vanish();
    wire.resetClient();
  },
  (wire) => {
    wire.vanish();
    wire.resetRelay();
  },
  // What was on its way arrives late: perhaps after its client has come back over another connection.
  (wire, recover) => {
    wire.vanish();
    recover(() => wire.comeBack());
  },
  (wire, recover) => {
    wire.up.stall();
    recover(() => wire.up.go());
  },
  (wire, recover) => {
    wire.down.stall();
    recover(() => wire.down.go());
  },
  (wire, recover) => {
    wire.vanish();
    wire.resetClient();
    recover(() => wire.comeBack());
  },
];

/** What befalls the wires of a proxy, one thing after the other, at points that follow from a seed. */
export class Misfortune {
  readonly #random: Random;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Those to which something was done. */
  readonly #afflicted = new Set<Wire>();
  #isOver = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Has something befall the wire after some bytes, and again after it has recovered. */
  await(wire: Wire): void {
    if (this.#isOver) return;
    const fate = this.#random.pick(FATES);
    const stallMs = this.#random.spread(SHORTEST_STALL_MS, LONGEST_STALL_MS);
    wire.after(this.#random.spread(FEWEST_BYTES, MOST_BYTES), () => {
      if (this.#isOver) return;
      this.#afflicted.add(wire);
      fate(wire, (afterwards) => {
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          this.await(wire);
          afterwards();
        }, stallMs);
        this.#timers.add(timer);
      });
    });
  }

  /** Nothing befalls anybody any more; who was left in silence is cut off. */
  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const wire of this.#afflicted) wire.cut();
  }
}
