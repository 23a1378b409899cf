import type { Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Refused frames that are forgiven, as a multiple of the burst; they are forgotten at a quarter of a burst a second. */
const FORGIVEN_BURSTS = 5;

/** The burst that counts for this where there is no bound on messages. */
const DEFAULT_BURST = 100;

export type Verdict = "allowed" | "refused" | "enough";

/** How much one connection may send: messages and bytes a second, with room for bursts. */
export class Rate {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;
  readonly #refusals: TokenBucket;

  /** @returns `undefined` where the limits set no rate: then nothing is counted. */
  static of(limits: Limits): Rate | undefined {
    return Number.isFinite(limits.maxMessagesPerSecond) || Number.isFinite(limits.maxBytesPerSecond)
      ? new Rate(limits)
      : undefined;
  }

  private constructor(limits: Limits) {
    const { maxMessagesPerSecond, maxMessageBurst, maxBytesPerSecond, maxMessageBytes } = limits;
    const now = performance.now();
    const burst = Math.max(1, Math.min(maxMessageBurst, maxMessagesPerSecond * 2));
    const isMessageBound = Number.isFinite(maxMessagesPerSecond);
    if (isMessageBound) this.#messages = new TokenBucket(maxMessagesPerSecond, burst, now);
    // One message of the largest size must always have a chance.
    const byteBurst = Math.max(maxBytesPerSecond * 2, maxMessageBytes);
    if (Number.isFinite(maxBytesPerSecond)) this.#bytes = new TokenBucket(maxBytesPerSecond, byteBurst, now);
    const forgiven = isMessageBound ? burst : DEFAULT_BURST;
    this.#refusals = new TokenBucket(forgiven / 4, forgiven * FORGIVEN_BURSTS, now);
  }

  /** Counts a frame of so many bytes. `enough`: it is refused, and too many were before it. */
  count(bytes: number): Verdict {
    const now = performance.now();
    if (this.#messages?.take(1, now) !== false && this.#bytes?.take(bytes, now) !== false) return "allowed";
    return this.#refusals.take(1, now) ? "refused" : "enough";
  }
}
