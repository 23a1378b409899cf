/** Token bucket: holds up to `capacity` tokens, and gains `perSecond` tokens per second. */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perMs: number;
  #tokens: number;
  #filledAt: number;

  /** Creates a full bucket. @param nowMs The present time, by a clock that cannot jump (`performance.now()`). */
  constructor(perSecond: number, capacity: number, nowMs: number) {
    this.#capacity = capacity;
    this.#perMs = perSecond / 1000;
    this.#tokens = capacity;
    this.#filledAt = nowMs;
  }

  /** Takes the tokens. @returns `false` if the bucket holds fewer; it then loses none. */
  take(tokens: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** Whether the bucket is full, and so no different from a new one. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= this.#capacity;
  }

  #fill(nowMs: number): void {
    // The caller may have asked the clock before the bucket was made.
    if (nowMs <= this.#filledAt) return;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledAt) * this.#perMs);
    this.#filledAt = nowMs;
  }
}
