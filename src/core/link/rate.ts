import { byteLength, type Payload } from "../protocol/frame.ts";
import type { Limits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A client with more refused frames than these bursts is excessive. A quarter of a burst is forgiven per second. */
const FORGIVEN_BURSTS = 5;

/** Burst by which refused frames are counted if only bytes are limited, in frames. */
const DEFAULT_BURST = 100;

/** `excessive`: refused, and the client keeps sending although its frames are refused. */
export type Verdict = "allowed" | "refused" | "excessive";

/**
 * Rate of one client, in messages and bytes per second, with bursts. It belongs to the session, not to the connection:
 * otherwise a client that reconnects would get full token buckets.
 */
export class Rate {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;
  readonly #refusals: TokenBucket;
  readonly #burst: number;
  readonly #byteBurst: number;

  /** Creates the rate that the limits set. @returns `undefined` if they set none. */
  static of(limits: Limits): Rate | undefined {
    return Number.isFinite(limits.maxMessagesPerSecond) || Number.isFinite(limits.maxBytesPerSecond)
      ? new Rate(limits)
      : undefined;
  }

  private constructor(limits: Limits) {
    const { maxMessagesPerSecond, maxMessageBurst, maxBytesPerSecond, maxMessageBytes } = limits;
    const now = performance.now();
    this.#burst = Math.max(1, Math.min(maxMessageBurst, maxMessagesPerSecond * 2));
    const hasMessageRate = Number.isFinite(maxMessagesPerSecond);
    if (hasMessageRate) this.#messages = new TokenBucket(maxMessagesPerSecond, this.#burst, now);
    // A full bucket must allow one message of the largest size.
    this.#byteBurst = Math.max(maxBytesPerSecond * 2, maxMessageBytes);
    if (Number.isFinite(maxBytesPerSecond)) this.#bytes = new TokenBucket(maxBytesPerSecond, this.#byteBurst, now);
    const forgiven = hasMessageRate ? this.#burst : DEFAULT_BURST;
    this.#refusals = new TokenBucket(forgiven / 4, forgiven * FORGIVEN_BURSTS, now);
  }

  /**
   * Counts a frame of the client.
   *
   * @param frames Number of frames that it counts as, because of the work that it causes. Capped at half a burst, so
   * that a full bucket always allows the frame.
   * @returns `excessive` if the frame is refused, and too many were refused before it.
   */
  count(payload: Payload, frames: number): Verdict {
    const now = performance.now();
    const messages = Math.min(frames, Math.max(1, this.#burst / 2));
    const isAllowed =
      this.#messages?.take(messages, now) !== false && this.#bytes?.take(this.#weight(payload, frames), now) !== false;
    if (isAllowed) return "allowed";
    return this.#refusals.take(1, now) ? "refused" : "excessive";
  }

  #weight(payload: Payload, frames: number): number {
    const bytes = byteLength(payload);
    return Math.min(bytes * frames, Math.max(bytes, this.#byteBurst / 2));
  }
}
