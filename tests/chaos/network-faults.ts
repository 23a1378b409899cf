import type { Wire } from "./proxy.ts";
import type { Random } from "./random.ts";

const MIN_BYTES = 100;
const MAX_BYTES = 200_000;
const MIN_STALL_MS = 20;
const MAX_STALL_MS = 3000;

/**
 * Fault of a network on one wire.
 *
 * @param repairLater Runs the given repair after a random time; the wire may then have another fault.
 */
type Fault = (wire: Wire, repairLater: (repair: () => void) => void) => void;

const FAULTS: readonly [Fault, ...Fault[]] = [
  (wire) => wire.cut(),
  (wire) => wire.reset(),
  (wire) => wire.up.end(),
  (wire) => wire.down.end(),
  (wire) => wire.blackhole(),
  (wire) => wire.up.stall(),
  (wire) => wire.down.stall(),
  // One end learns of the fault; the other never does.
  (wire) => {
    wire.blackhole();
    wire.resetClient();
  },
  (wire) => {
    wire.blackhole();
    wire.resetRelay();
  },
  // Bytes in flight arrive late: the client may have reconnected by then.
  (wire, repairLater) => {
    wire.blackhole();
    repairLater(() => wire.restore());
  },
  (wire, repairLater) => {
    wire.up.stall();
    repairLater(() => wire.up.resume());
  },
  (wire, repairLater) => {
    wire.down.stall();
    repairLater(() => wire.down.resume());
  },
  (wire, repairLater) => {
    wire.blackhole();
    wire.resetClient();
    repairLater(() => wire.restore());
  },
];

/** Causes random faults on the wires of a proxy. The same seed gives the same faults. */
export class NetworkFaults {
  readonly #random: Random;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Wires that had a fault. */
  readonly #faulty = new Set<Wire>();
  #isStopped = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Causes a fault on the wire after a random count of bytes, and another one after each repair. */
  schedule(wire: Wire): void {
    if (this.#isStopped) return;
    const fault = this.#random.pick(FAULTS);
    const stallMs = this.#random.spread(MIN_STALL_MS, MAX_STALL_MS);
    wire.after(this.#random.spread(MIN_BYTES, MAX_BYTES), () => {
      if (this.#isStopped) return;
      this.#faulty.add(wire);
      fault(wire, (repair) => {
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          this.schedule(wire);
          repair();
        }, stallMs);
        this.#timers.add(timer);
      });
    });
  }

  /** Causes no more faults, and closes every wire that had one: it may be stalled. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const wire of this.#faulty) wire.cut();
  }
}
