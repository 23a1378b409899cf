import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Heartbeat } from "../../../../src/core/link/heartbeat.ts";
import { BEAT_MS, FakeMonitored, passBeats } from "../../fakes.ts";

// Checks the times that heartbeat.ts promises against clients that talk at random. All times are milliseconds.

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Silence too short to lose a connection. */
const survivableMs = fc.integer({ min: 0, max: 3.8 * BEAT_MS - 1 });
const talkOfAnyKind = fc.array(fc.oneof(survivableMs, fc.integer({ min: 0, max: BEAT_MS })), { maxLength: 12 });
/** Time of the connection's opening between two ticks. */
const phaseMs = fc.integer({ min: 0, max: BEAT_MS });

/** Runs a connection that talks after each of the silences, then never again. */
function talk(silences: readonly number[], phase: number): { monitored: FakeMonitored; heardAt: number[] } {
  const heartbeat = new Heartbeat({ intervalMs: BEAT_MS, misses: 3 });
  vi.advanceTimersByTime(phase);
  const monitored = new FakeMonitored();
  heartbeat.add(monitored);
  const heardAt = [Date.now()];
  for (const silence of silences) {
    vi.advanceTimersByTime(silence);
    heartbeat.onSignOfLife(monitored);
    heardAt.push(Date.now());
  }
  passBeats(6);
  heartbeat.stop();
  return { monitored, heardAt };
}

/** Groups the pings by the sign of life before them. */
function pingsAfter(
  monitored: FakeMonitored,
  heardAt: readonly number[],
): { heard: number; pings: number[]; next: number }[] {
  return heardAt.map((heard, at) => {
    const next = heardAt[at + 1] ?? Number.POSITIVE_INFINITY;
    // Timers run before a sign of life of the same millisecond.
    return { heard, next, pings: monitored.pings.filter((ping) => ping > heard && ping <= next) };
  });
}

describe("however a connection talks", () => {
  test("its first ping comes between four fifths of a beat and one beat after it was last heard", () => {
    fc.assert(
      fc.property(talkOfAnyKind, phaseMs, (silences, phase) => {
        const { monitored, heardAt } = talk(silences, phase);
        for (const { heard, pings, next } of pingsAfter(monitored, heardAt)) {
          const [first] = pings;
          if (first === undefined) expect(next - heard).toBeLessThanOrEqual(BEAT_MS);
          else expect(first - heard).toBeGreaterThanOrEqual(0.8 * BEAT_MS);
          if (first !== undefined) expect(first - heard).toBeLessThanOrEqual(BEAT_MS);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("each further ping comes a beat after the one that was not answered", () => {
    fc.assert(
      fc.property(talkOfAnyKind, phaseMs, (silences, phase) => {
        const { monitored, heardAt } = talk(silences, phase);
        for (const { pings } of pingsAfter(monitored, heardAt)) {
          expect(pings).toEqual(pings.map((_ping, at) => (pings[0] ?? 0) + at * BEAT_MS));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("it is lost between 3.8 and 4 beats after it was last heard, three whole beats after its first ping", () => {
    fc.assert(
      fc.property(talkOfAnyKind, phaseMs, (silences, phase) => {
        const { monitored, heardAt } = talk(silences, phase);
        const last = pingsAfter(monitored, heardAt).at(-1);
        const lostAt = monitored.lostAt ?? Number.NaN;
        expect(lostAt - (last?.heard ?? 0)).toBeGreaterThanOrEqual(3.8 * BEAT_MS);
        expect(lostAt - (last?.heard ?? 0)).toBeLessThanOrEqual(4 * BEAT_MS);
        expect(lostAt - (last?.pings[0] ?? 0)).toBeGreaterThanOrEqual(3 * BEAT_MS);
        expect(monitored.pings.every((ping) => ping < lostAt)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("it is never pinged while it talks", () => {
    const brief = fc.array(fc.integer({ min: 0, max: 0.8 * BEAT_MS - 1 }), { minLength: 10, maxLength: 40 });
    fc.assert(
      fc.property(brief, phaseMs, (silences, phase) => {
        const { monitored, heardAt } = talk(silences, phase);
        expect(monitored.pings.filter((ping) => ping <= (heardAt.at(-1) ?? 0))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

test("a frame that keeps arriving within each beat never costs a miss; then three whole beats pass", () => {
  const drips = fc.array(fc.integer({ min: 1, max: BEAT_MS - 1 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(drips, phaseMs, (gaps, phase) => {
      const heartbeat = new Heartbeat({ intervalMs: BEAT_MS, misses: 3 });
      vi.advanceTimersByTime(phase);
      const monitored = new FakeMonitored();
      heartbeat.add(monitored);
      for (const gap of gaps) {
        vi.advanceTimersByTime(gap);
        monitored.arrivedBytes += 1;
      }
      expect(monitored.counted).toEqual([]);
      const lastByteAt = Date.now();
      passBeats(6);
      heartbeat.stop();
      const lostAt = monitored.lostAt ?? Number.NaN;
      // Bytes before the first ping do not matter: the ping asks again.
      expect(lostAt - lastByteAt).toBeGreaterThan(2.8 * BEAT_MS);
      expect(lostAt - lastByteAt).toBeLessThanOrEqual(4 * BEAT_MS);
      expect(lostAt - (monitored.pings[0] ?? 0)).toBeGreaterThanOrEqual(3 * BEAT_MS);
    }),
    { numRuns: 300 },
  );
});
