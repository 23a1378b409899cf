import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Heartbeat } from "../../../../src/core/link/heartbeat.ts";
import { BEAT_MS, FakePulse, FakeTurn, passBeats, TICK_MS } from "../../fakes.ts";

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
  const [removed, kept] = [addPulse(), addPulse()];
  expect(removed.slice).toBe(kept.slice);
  heartbeat.remove(removed);
  const { visits } = removed;
  passBeats(5);
  expect(removed.visits).toBe(visits);
  expect(kept.lostAt).toBeDefined();
});

test("a visit that ends another connection of the same tick leaves that one alone", () => {
  const [first, second] = [addPulse(), addPulse()];
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
  for (let ticks = 0; ticks < 15; ticks++) {
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

  /** A heartbeat whose turns of the event loop end when the test says so, with so many connections. */
  function startMany() {
    const turn = new FakeTurn();
    const many = new Heartbeat({ intervalMs: BEAT_MS, misses: 3, schedule: turn.schedule });
    const pulses = Array.from({ length: MANY }, () => new FakePulse());
    for (const pulse of pulses) many.add(pulse);
    const pings = (): number => pulses.reduce((sum, pulse) => sum + pulse.pings.length, 0);
    return { turn, many, pulses, pings };
  }

  test("that are due in the same moment are pinged a few in each turn of the event loop, and all before the next tick", () => {
    const { turn, many, pings } = startMany();
    passBeats(1);
    let turns = 1;
    for (let before = 0; turn.scheduled > 0; turns++) {
      expect(pings() - before).toBeLessThanOrEqual(32);
      before = pings();
      turn.end();
    }
    expect(pings()).toBe(MANY);
    expect(turns).toBeGreaterThan(MANY / 32);
    many.stop();
  });

  test("that are not all pinged when the next tick comes are pinged once all the same", () => {
    const { turn, many, pings, pulses } = startMany();
    vi.advanceTimersByTime(BEAT_MS + 2 * TICK_MS);
    while (turn.scheduled > 0) turn.end();
    expect(pings()).toBe(MANY);
    for (const pulse of pulses) pulse.answers = () => many.heard(pulse);
    passBeats(1);
    while (turn.scheduled > 0) turn.end();
    expect(pings()).toBe(2 * MANY);
    many.stop();
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

  test("in which the process had none loses nobody: its silence counts again after a beat", () => {
    const pulse = addPulse();
    passBeats(3.5);
    expect(pulse.counted).toEqual([1, 2]);
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now() + BEAT_MS);
    vi.advanceTimersByTime(TICK_MS);
    clock.mockRestore();
    passBeats(1);
    expect([pulse.counted, pulse.lostAt]).toEqual([[1, 2], undefined]);
    passBeats(1);
    expect(pulse.lostAt).toBeDefined();
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
