import { requirePositive } from "../core/check-options.ts";
import { TokenBucket } from "../core/link/token-bucket.ts";
import { REFUSALS, type Refusal } from "./refusal.ts";

export interface AdmissionLimits {
  /** Connections open at the same time from one address (an IPv4, or a /64 of IPv6). Default: no bound. */
  readonly maxConnectionsPerIp?: number;
  /** New connections a second, all together. Default: no bound. */
  readonly connectRate?: number;
  /** The same from one address. Default: no bound. */
  readonly connectRatePerIp?: number;
}

/** What is known of one address. */
interface Visitor {
  connections: number;
  readonly attempts: TokenBucket | undefined;
}

/** Addresses that are kept at the most before those are forgotten of which nothing needs to be known. */
const SWEEP_SIZE = 10_000;

/** How many connections there are from where, and how fast new ones come. */
export class Admission {
  readonly #maxConnections: number;
  readonly #ratePerIp: number;
  readonly #attempts: TokenBucket | undefined;
  readonly #visitors = new Map<string, Visitor>();
  #sweepAt = SWEEP_SIZE;

  /** @throws {RangeError} When a limit is not positive. */
  constructor(limits: AdmissionLimits) {
    const unbounded = Number.POSITIVE_INFINITY;
    const { maxConnectionsPerIp = unbounded, connectRate = unbounded, connectRatePerIp = unbounded } = limits;
    requirePositive("Cannot make a relay", { maxConnectionsPerIp, connectRate, connectRatePerIp });
    this.#maxConnections = maxConnectionsPerIp;
    this.#ratePerIp = connectRatePerIp;
    this.#attempts = bucketOf(connectRate);
  }

  /** Whether anything depends on where a connection comes from. */
  get needsAddress(): boolean {
    return Number.isFinite(this.#maxConnections) || Number.isFinite(this.#ratePerIp);
  }

  /** Counts an attempt to connect from the address. @returns Why it is refused; `undefined` where it is not. */
  attempt(address: string): Refusal | undefined {
    const now = performance.now();
    if (this.needsAddress && this.#visitor(address).attempts?.take(1, now) === false) return REFUSALS.tooManyAttempts;
    return this.#attempts?.take(1, now) === false ? REFUSALS.busy : undefined;
  }

  /** Whether one more connection from the address is one too many. */
  isFull(address: string): boolean {
    return (this.#visitors.get(address)?.connections ?? 0) >= this.#maxConnections;
  }

  /**
   * Counts a connection from the address, or a handshake that may become one.
   *
   * @returns Takes it off the count; to be called once. `undefined` where nothing is counted. It is kept as long as the connection, so it
   * holds nothing of the request.
   */
  enter(address: string): (() => void) | undefined {
    if (!this.needsAddress) return undefined;
    this.#visitor(address).connections++;
    return () => this.#leave(address);
  }

  #leave(address: string): void {
    const visitor = this.#visitors.get(address);
    if (visitor !== undefined) visitor.connections--;
    if (visitor?.connections === 0 && visitor.attempts === undefined) this.#visitors.delete(address);
  }

  #visitor(address: string): Visitor {
    let visitor = this.#visitors.get(address);
    if (visitor === undefined) {
      if (this.#visitors.size >= this.#sweepAt) this.#sweep();
      visitor = { connections: 0, attempts: bucketOf(this.#ratePerIp) };
      this.#visitors.set(address, visitor);
    }
    return visitor;
  }

  /** Forgets the addresses that are as good as unknown. What stays doubles before it is looked through again. */
  #sweep(): void {
    const now = performance.now();
    for (const [address, { connections, attempts }] of this.#visitors) {
      if (connections === 0 && attempts?.isFull(now) !== false) this.#visitors.delete(address);
    }
    this.#sweepAt = Math.max(SWEEP_SIZE, this.#visitors.size * 2);
  }
}

/** So many a second, and as many at once after two seconds of rest; `undefined` where there is no bound. */
function bucketOf(rate: number): TokenBucket | undefined {
  return Number.isFinite(rate) ? new TokenBucket(rate, Math.max(1, rate * 2), performance.now()) : undefined;
}
