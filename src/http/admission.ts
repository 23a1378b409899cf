import { requirePositive } from "../core/check-options.ts";
import { TokenBucket } from "../core/link/token-bucket.ts";
import { REFUSALS, type Refusal } from "./refusal.ts";

/**
 * Bounds on connections by the address that they come from. An address is an IPv4 address, or a /64 network of IPv6.
 */
export interface AdmissionLimits {
  /** Connections open at the same time from one address. Default: no bound. */
  readonly maxConnectionsPerIp?: number;
  /**
   * Attempts to connect per second, from all addresses together; twice as many at once after a pause. Default: no
   * bound.
   */
  readonly connectRate?: number;
  /** Attempts to connect per second from one address; twice as many at once after a pause. Default: no bound. */
  readonly connectRatePerIp?: number;
}

/** The counts of one address. */
interface AddressCounts {
  connections: number;
  readonly attempts: TokenBucket | undefined;
}

/** Smallest number of known addresses at which the idle ones are forgotten. */
const MIN_SWEEP_SIZE = 10_000;

/** Counts connections and attempts to connect, by address and in all, and refuses those over the limits. */
export class Admission {
  readonly #maxConnections: number;
  readonly #ratePerIp: number;
  readonly #attempts: TokenBucket | undefined;
  readonly #addresses = new Map<string, AddressCounts>();
  /** Number of known addresses at which the next sweep comes. */
  #sweepSize = MIN_SWEEP_SIZE;

  /** @throws {RangeError} When a limit is not positive. */
  constructor(limits: AdmissionLimits) {
    const unbounded = Number.POSITIVE_INFINITY;
    const { maxConnectionsPerIp = unbounded, connectRate = unbounded, connectRatePerIp = unbounded } = limits;
    requirePositive("Cannot make a relay", { maxConnectionsPerIp, connectRate, connectRatePerIp });
    this.#maxConnections = maxConnectionsPerIp;
    this.#ratePerIp = connectRatePerIp;
    this.#attempts = createBucket(connectRate);
  }

  /** Whether a limit depends on the client's address. */
  get needsAddress(): boolean {
    return Number.isFinite(this.#maxConnections) || Number.isFinite(this.#ratePerIp);
  }

  /**
   * Counts an attempt to connect from the address.
   *
   * @returns The refusal for an attempt over the rate, or `undefined`.
   */
  countAttempt(address: string): Refusal | undefined {
    const now = performance.now();
    if (this.needsAddress && this.#countsOf(address).attempts?.take(1, now) === false) return REFUSALS.tooManyAttempts;
    return this.#attempts?.take(1, now) === false ? REFUSALS.busy : undefined;
  }

  /** Returns whether the address has as many connections as it may have. */
  isFull(address: string): boolean {
    return (this.#addresses.get(address)?.connections ?? 0) >= this.#maxConnections;
  }

  /**
   * Counts a connection from the address, or a handshake that may become one.
   *
   * @returns The function that takes the connection off the count, to be called once; `undefined` where connections are
   * not counted. It lives as long as the connection, so it keeps nothing of the request in memory.
   */
  countConnection(address: string): (() => void) | undefined {
    if (!this.needsAddress) return undefined;
    this.#countsOf(address).connections++;
    return () => this.#uncountConnection(address);
  }

  #uncountConnection(address: string): void {
    const counts = this.#addresses.get(address);
    if (counts !== undefined) counts.connections--;
    if (counts?.connections === 0 && counts.attempts === undefined) this.#addresses.delete(address);
  }

  #countsOf(address: string): AddressCounts {
    let counts = this.#addresses.get(address);
    if (counts === undefined) {
      if (this.#addresses.size >= this.#sweepSize) this.#sweep();
      counts = { connections: 0, attempts: createBucket(this.#ratePerIp) };
      this.#addresses.set(address, counts);
    }
    return counts;
  }

  /**
   * Forgets the idle addresses: those without a connection whose next attempts would be accepted anyway. The next sweep
   * comes when twice as many addresses are known as remain after this one.
   */
  #sweep(): void {
    const now = performance.now();
    for (const [address, { connections, attempts }] of this.#addresses) {
      if (connections === 0 && attempts?.isFull(now) !== false) this.#addresses.delete(address);
    }
    this.#sweepSize = Math.max(MIN_SWEEP_SIZE, this.#addresses.size * 2);
  }
}

/** Makes a token bucket that holds the tokens of two seconds; `undefined` where there is no bound. */
function createBucket(rate: number): TokenBucket | undefined {
  return Number.isFinite(rate) ? new TokenBucket(rate, Math.max(1, rate * 2), performance.now()) : undefined;
}
