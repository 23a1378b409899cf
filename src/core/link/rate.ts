import { byteLength, type Payload } from "../protocol/frame.ts";
import type { Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Refused frames that are forgiven, as a multiple of the burst; they are forgotten at a quarter of a burst a second. */
const FORGIVEN_BURSTS = 5;

/** The burst that counts for this where there is no bound on messages. */
const DEFAULT_BURST = 100;

export type Verdict = "allowed" | "refused" | "enough";

/**
 * How much one client may send: messages and bytes a second, with room for bursts. It belongs to the session and not to
 * its connection, so that nobody gets a full bucket by connecting again.
 */
export class Rate {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;
  readonly #refusals: TokenBucket;
  readonly #burst: number;
  readonly #byteBurst: number;

  /** @returns `undefined` where the limits set no rate: then nothing is counted. */
  static of(limits: Limits): Rate | undefined {
    return Number.isFinite(limits.maxMessagesPerSecond) || Number.isFinite(limits.maxBytesPerSecond)
      ? new Rate(limits)
      : undefined;
  }

  private constructor(limits: Limits) {
    const { maxMessagesPerSecond, maxMessageBurst, maxBytesPerSecond, maxMessageBytes } = limits;
    const now = performance.now();
    this.#burst = Math.max(1, Math.min(maxMessageBurst, maxMessagesPerSecond * 2));
    const isMessageBound = Number.isFinite(maxMessagesPerSecond);
    if (isMessageBound) this.#messages = new TokenBucket(maxMessagesPerSecond, this.#burst, now);
    // One message of the largest size must always have a chance.
    this.#byteBurst = Math.max(maxBytesPerSecond * 2, maxMessageBytes);
    if (Number.isFinite(maxBytesPerSecond)) this.#bytes = new TokenBucket(maxBytesPerSecond, this.#byteBurst, now);
    const forgiven = isMessageBound ? this.#burst : DEFAULT_BURST;
    this.#refusals = new TokenBucket(forgiven / 4, forgiven * FORGIVEN_BURSTS, now);
  }

  /**
   * Counts a frame that came from the client.
   *
   * @param frames How many frames of its size it counts as, for what it causes; never as more than half a burst, so
   * that it stays possible.
   * @returns `enough` where it is refused, and too many were before it.
   */
  count(payload: Payload, frames: number): Verdict {
    const now = performance.now();
    const messages = Math.min(frames, Math.max(1, this.#burst / 2));
    const isAllowed =
      this.#messages?.take(messages, now) !== false && this.#bytes?.take(this.#weight(payload, frames), now) !== false;
    if (isAllowed) return "allowed";
    return this.#refusals.take(1, now) ? "refused" : "enough";
  }

  #weight(payload: Payload, frames: number): number {
    const bytes = byteLength(payload);
    return Math.min(bytes * frames, Math.max(bytes, this.#byteBurst / 2));
  }
}
