import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Heartbeat } from "../../../src/core/heartbeat.ts";
import { BEAT_MS, FakePulse, passBeats, TICK_MS } from "../fakes.ts";

let heartbeat: Heartbeat;

beforeEach(() => {
  vi.useFakeTimers();
  heartbeat = new Heartbeat({ intervalMs: BEAT_MS, misses: 3 });
});
afterEach(() => {
  heartbeat.stop();
  vi.useRealTimers();
});

function addPulses(count: number): FakePulse[] {
  return Array.from({ length: count }, () => {
    const pulse = new FakePulse();
    heartbeat.add(pulse);
    return pulse;
  });
}

function addPulse(): FakePulse {
  const pulse = new FakePulse();
  heartbeat.add(pulse);
  return pulse;
}

describe("a connection in silence", () => {
  test("is asked once a beat, counted once a beat, and lost at the third miss", () => {
    const pulse = addPulse();
    passBeats(5);
    const [first = Number.NaN] = pulse.pings;
    expect(pulse.pings).toEqual([first, first + BEAT_MS, first + 2 * BEAT_MS]);
    expect(pulse.counted).toEqual([1, 2, 3]);
    expect(pulse.lostAt).toBe(first + 3 * BEAT_MS);
  });

  test("is forgotten once it is lost", () => {
    const pulse = addPulse();
    passBeats(5);
    const { visits } = pulse;
    passBeats(10);
    expect(pulse.visits).toBe(visits);
    expect(pulse.pings.length).toBe(3);
  });

  test.each([1, 2, 7])("is lost after %i misses where so many are allowed", (misses) => {
    const other = new Heartbeat({ intervalMs: BEAT_MS, misses });
    const pulse = new FakePulse();
    other.add(pulse);
    passBeats(misses + 1);
    other.stop();
    expect(pulse.lostAt).toBe((pulse.pings[0] ?? Number.NaN) + misses * BEAT_MS);
  });

  test("starts again from no miss when it is heard in the last moment", () => {
    const pulse = addPulse();
    passBeats(3.7);
    expect(pulse.counted).toEqual([1, 2]);
    heartbeat.heard(pulse);
    expect(pulse.misses).toBe(0);
    passBeats(3.7);
    expect(pulse.counted).toEqual([1, 2, 1, 2]);
    expect(pulse.lostAt).toBeUndefined();
  });
});

test("a connection that ended is neither asked nor counted", () => {
  const pulse = addPulse();
  pulse.ended = true;
  passBeats(5);
  expect([pulse.pings, pulse.counted, pulse.visits]).toEqual([[], [], 0]);
});

test("a connection that was removed is forgotten at once, and the others of its tick are not", () => {
  // Without chance both wait for the same tick.
  const chance = vi.spyOn(Math, "random").mockReturnValue(0);
  const [removed, kept] = [addPulse(), addPulse()];
  chance.mockRestore();
  expect(removed.slice).toBe(kept.slice);
  heartbeat.remove(removed);
  const { visits } = removed;
  passBeats(5);
  expect(removed.visits).toBe(visits);
  expect(kept.lostAt).toBeDefined();
});

test("a visit that ends another connection of the same tick leaves that one alone", () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  const [first, second] = [addPulse(), addPulse()];
  vi.restoreAllMocks();
  first.visited = () => {
    second.ended = true;
    heartbeat.remove(second);
  };
  passBeats(5);
  expect([second.visits, second.pings, second.counted]).toEqual([0, [], []]);
});

test("a connection that ends when it is visited is not asked", () => {
  const pulse = addPulse();
  pulse.visited = () => {
    pulse.ended = true;
  };
  passBeats(5);
  expect(pulse.pings).toEqual([]);
});

test("every connection is visited at least once a beat, talking or not", () => {
  const [talking, silent] = [addPulse(), addPulse()];
  for (let ticks = 0; ticks < 75; ticks++) {
    vi.advanceTimersByTime(TICK_MS);
    heartbeat.heard(talking);
  }
  expect(talking.visits).toBeGreaterThanOrEqual(3);
  expect(silent.visits).toBeGreaterThanOrEqual(3);
});

describe("a large frame on its way", () => {
  test("keeps its connection for as long as bytes come, and no longer", () => {
    const pulse = addPulse();
    for (let beats = 0; beats < 20; beats++) {
      passBeats(1);
      pulse.arrivedBytes += 1;
    }
    expect(pulse.lostAt).toBeUndefined();
    expect(pulse.counted).toEqual([]);
    passBeats(3);
    expect(pulse.lostAt).toBeUndefined();
    passBeats(1);
    expect(pulse.lostAt).toBeDefined();
  });

  test("forgives the misses before it", () => {
    const pulse = addPulse();
    passBeats(3.5);
    expect(pulse.misses).toBe(2);
    pulse.arrivedBytes += 1;
    passBeats(1);
    expect(pulse.misses).toBe(0);
  });
});

describe("ten thousand connections", () => {
  const MANY = 10_000;

  /** The most pings that fell into one tick, and how many were sent at all, while the beats passed. */
  function busiestTick(pulses: readonly FakePulse[], beats: number): { most: number; all: number } {
    const before = pulses.map((pulse) => pulse.pings.length);
    passBeats(beats);
    const perTick = new Map<number, number>();
    pulses.forEach((pulse, at) => {
      for (const ping of pulse.pings.slice(before[at])) perTick.set(ping, (perTick.get(ping) ?? 0) + 1);
    });
    const counts = [...perTick.values()];
    return { most: Math.max(...counts), all: counts.reduce((sum, count) => sum + count, 0) };
  }

  // A fifth of a beat is five ticks: a fifth of them each, and some room for chance.
  const BOUND = 0.3 * MANY;

  test("that came in the same moment are not pinged in the same tick", () => {
    const { most, all } = busiestTick(addPulses(MANY), 1);
    expect(all).toBe(MANY);
    expect(most).toBeLessThan(BOUND);
  });

  test("that talked in the same moment are not pinged in the same tick, then or ever after", () => {
    const pulses = addPulses(MANY);
    for (let round = 0; round < 5; round++) {
      vi.advanceTimersByTime(3 * TICK_MS);
      for (const pulse of pulses) heartbeat.heard(pulse);
    }
    const first = busiestTick(pulses, 1);
    expect(first.all).toBe(MANY);
    expect(first.most).toBeLessThan(BOUND);
    for (const pulse of pulses) heartbeat.heard(pulse);
    expect(busiestTick(pulses, 1).most).toBeLessThan(BOUND);
  });

  test("that answer each ping at once stay spread", () => {
    const pulses = addPulses(MANY);
    for (const pulse of pulses) pulse.answers = () => heartbeat.heard(pulse);
    passBeats(10);
    const { most, all } = busiestTick(pulses, 1);
    expect(all).toBe(MANY);
    expect(most).toBeLessThan(BOUND);
  });

  test("need one timer", () => {
    addPulses(MANY);
    passBeats(2);
    expect(vi.getTimerCount()).toBe(1);
  });
});

describe("time", () => {
  test("is not taken from a clock: one that jumps loses nobody", () => {
    const pulse = addPulse();
    passBeats(1.5);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(TICK_MS);
    expect(pulse.counted).toEqual([]);
    vi.setSystemTime(Date.now() - 7_200_000);
    passBeats(1);
    expect(pulse.counted).toEqual([1]);
  });

  test("is told in whole beats since a tick", () => {
    const { now } = heartbeat;
    passBeats(2);
    vi.advanceTimersByTime(-1 + BEAT_MS);
    expect(heartbeat.beatsSince(now)).toBe(2);
    vi.advanceTimersByTime(1);
    expect(heartbeat.beatsSince(now)).toBe(3);
  });
});

test("a heartbeat that was stopped asks nobody and leaves no timer", () => {
  const pulse = addPulse();
  heartbeat.stop();
  passBeats(5);
  expect(pulse.pings).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  [{ intervalMs: -1, misses: 3 }, "Cannot start heartbeat: intervalMs is -1"],
  [{ intervalMs: 0, misses: 3 }, "Cannot start heartbeat: intervalMs is 0"],
  [{ intervalMs: Number.NaN, misses: 3 }, "Cannot start heartbeat: intervalMs is NaN"],
  [{ intervalMs: 5000, misses: 0 }, "Cannot start heartbeat: misses is 0"],
])("%j is refused and starts no timer", (options, message) => {
  const before = vi.getTimerCount();
  expect(() => new Heartbeat(options)).toThrow(new RangeError(message));
  expect(vi.getTimerCount()).toBe(before);
});
