import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TokenBucket } from "../../../../src/core/link/token-bucket.ts";

describe("a token bucket", () => {
  test("begins full, gives what it holds, and fills at its rate", () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([1, 2, 3, 4].map(() => bucket.take(1, 0))).toEqual([true, true, true, false]);
    expect(bucket.take(1, 99)).toBe(false);
    expect(bucket.take(1, 100)).toBe(true);
    expect(bucket.take(1, 100)).toBe(false);
  });

  test("loses nothing by a time from before it was made", () => {
    expect(new TokenBucket(0.5, 1, 10).take(1, 9.9)).toBe(true);
  });

  test("takes no token if it holds too few", () => {
    const bucket = new TokenBucket(1, 5, 0);
    expect(bucket.take(6, 0)).toBe(false);
    expect(bucket.take(5, 0)).toBe(true);
  });

  test("is full again after a pause, and never holds more than fits", () => {
    const bucket = new TokenBucket(10, 3, 0);
    bucket.take(3, 0);
    expect(bucket.isFull(299)).toBe(false);
    expect(bucket.isFull(300)).toBe(true);
    expect([1, 2, 3, 4].map(() => bucket.take(1, 100_000))).toEqual([true, true, true, false]);
  });

  test("never gives more in any period than its rate and one burst", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 4 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 4, max: 20 }), (asks, rate, capacity) => {
        const bucket = new TokenBucket(rate, capacity, 0);
        let now = 0;
        let taken = 0;
        for (const [pause, tokens] of asks) {
          now += pause;
          if (bucket.take(tokens, now)) taken += tokens;
          expect(taken).toBeLessThanOrEqual(capacity + (now / 1000) * rate + 1e-6);
        }
      }),
    );
  });
});
