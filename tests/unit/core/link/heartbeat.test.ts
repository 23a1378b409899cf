import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Heartbeat } from "../../../../src/core/link/heartbeat.ts";
import { BEAT_MS, FakeMonitored, FakeTurn, passBeats, TICK_MS } from "../../fakes.ts";

let heartbeat: Heartbeat;

beforeEach(() => {
  vi.useFakeTimers();
  heartbeat = new Heartbeat({ intervalMs: BEAT_MS, misses: 3 });
});
afterEach(() => {
  heartbeat.stop();
  vi.useRealTimers();
});

function monitorSeveral(count: number): FakeMonitored[] {
  return Array.from({ length: count }, () => {
    const monitored = new FakeMonitored();
    heartbeat.add(monitored);
    return monitored;
  });
}

function monitor(): FakeMonitored {
  const monitored = new FakeMonitored();
  heartbeat.add(monitored);
  return monitored;
}

describe("a connection in silence", () => {
  test("is pinged once a beat, misses once a beat, and is lost at the third miss", () => {
    const monitored = monitor();
    passBeats(5);
    const [first = Number.NaN] = monitored.pings;
    expect(monitored.pings).toEqual([first, first + BEAT_MS, first + 2 * BEAT_MS]);
    expect(monitored.counted).toEqual([1, 2, 3]);
    expect(monitored.lostAt).toBe(first + 3 * BEAT_MS);
  });

  test("is forgotten once it is lost", () => {
    const monitored = monitor();
    passBeats(5);
    const { visits } = monitored;
    passBeats(10);
    expect(monitored.visits).toBe(visits);
    expect(monitored.pings.length).toBe(3);
  });

  test.each([1, 2, 7])("is lost after %i misses if the option says so", (misses) => {
    const other = new Heartbeat({ intervalMs: BEAT_MS, misses });
    const monitored = new FakeMonitored();
    other.add(monitored);
    passBeats(misses + 1);
    other.stop();
    expect(monitored.lostAt).toBe((monitored.pings[0] ?? Number.NaN) + misses * BEAT_MS);
  });

  test("has no misses again after a sign of life in the last moment", () => {
    const monitored = monitor();
    passBeats(3.7);
    expect(monitored.counted).toEqual([1, 2]);
    heartbeat.onSignOfLife(monitored);
    expect(monitored.pulse.misses).toBe(0);
    passBeats(3.7);
    expect(monitored.counted).toEqual([1, 2, 1, 2]);
    expect(monitored.lostAt).toBeUndefined();
  });
});

test("a connection that ended is not pinged and has no misses", () => {
  const monitored = monitor();
  monitored.hasEnded = true;
  passBeats(5);
  expect([monitored.pings, monitored.counted, monitored.visits]).toEqual([[], [], 0]);
});

test("a connection that was removed is forgotten at once, and the others of its tick are not", () => {
  const [removed, kept] = [monitor(), monitor()];
  expect(removed.pulse.slice).toBe(kept.pulse.slice);
  heartbeat.remove(removed);
  const { visits } = removed;
  passBeats(5);
  expect(removed.visits).toBe(visits);
  expect(kept.lostAt).toBeDefined();
});

test("a visit that ends another connection of the same tick leaves that one alone", () => {
  const [first, second] = [monitor(), monitor()];
  first.onVisit = () => {
    second.hasEnded = true;
    heartbeat.remove(second);
  };
  passBeats(5);
  expect([second.visits, second.pings, second.counted]).toEqual([0, [], []]);
});

test("a connection that ends during its visit is not pinged", () => {
  const monitored = monitor();
  monitored.onVisit = () => {
    monitored.hasEnded = true;
  };
  passBeats(5);
  expect(monitored.pings).toEqual([]);
});

test("every connection is visited at least once a beat, talking or not", () => {
  const [talking, silent] = [monitor(), monitor()];
  for (let ticks = 0; ticks < 15; ticks++) {
    vi.advanceTimersByTime(TICK_MS);
    heartbeat.onSignOfLife(talking);
  }
  expect(talking.visits).toBeGreaterThanOrEqual(3);
  expect(silent.visits).toBeGreaterThanOrEqual(3);
});

describe("a large frame on its way", () => {
  test("keeps its connection for as long as bytes come, and no longer", () => {
    const monitored = monitor();
    for (let beats = 0; beats < 20; beats++) {
      passBeats(1);
      monitored.arrivedBytes += 1;
    }
    expect(monitored.lostAt).toBeUndefined();
    expect(monitored.counted).toEqual([]);
    passBeats(3);
    expect(monitored.lostAt).toBeUndefined();
    passBeats(1);
    expect(monitored.lostAt).toBeDefined();
  });

  test("forgives the misses before it", () => {
    const monitored = monitor();
    passBeats(3.5);
    expect(monitored.pulse.misses).toBe(2);
    monitored.arrivedBytes += 1;
    passBeats(1);
    expect(monitored.pulse.misses).toBe(0);
  });
});

describe("ten thousand connections", () => {
  const MANY = 10_000;

  /** Starts a heartbeat with connections; the test ends the turns of its event loop. */
  function startMany() {
    const turn = new FakeTurn();
    const many = new Heartbeat({ intervalMs: BEAT_MS, misses: 3, schedule: turn.schedule });
    const connections = Array.from({ length: MANY }, () => new FakeMonitored());
    for (const monitored of connections) many.add(monitored);
    const pings = (): number => connections.reduce((sum, monitored) => sum + monitored.pings.length, 0);
    return { turn, many, connections, pings };
  }

  test("that are due together are pinged a few per turn of the event loop, and all before the next tick", () => {
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
    const { turn, many, pings, connections } = startMany();
    vi.advanceTimersByTime(BEAT_MS + 2 * TICK_MS);
    while (turn.scheduled > 0) turn.end();
    expect(pings()).toBe(MANY);
    for (const monitored of connections) monitored.answers = () => many.onSignOfLife(monitored);
    passBeats(1);
    while (turn.scheduled > 0) turn.end();
    expect(pings()).toBe(2 * MANY);
    many.stop();
  });

  test("need one timer", () => {
    monitorSeveral(MANY);
    passBeats(2);
    expect(vi.getTimerCount()).toBe(1);
  });
});

describe("time", () => {
  test("does not depend on a clock: if it jumps, no connection is lost", () => {
    const monitored = monitor();
    passBeats(1.5);
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(TICK_MS);
    expect(monitored.counted).toEqual([]);
    vi.setSystemTime(Date.now() - 7_200_000);
    passBeats(1);
    expect(monitored.counted).toEqual([1]);
  });

  test("in which the process could not run loses no connection: silence counts again after a beat", () => {
    const monitored = monitor();
    passBeats(3.5);
    expect(monitored.counted).toEqual([1, 2]);
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now() + BEAT_MS);
    vi.advanceTimersByTime(TICK_MS);
    clock.mockRestore();
    passBeats(1);
    expect([monitored.counted, monitored.lostAt]).toEqual([[1, 2], undefined]);
    passBeats(1);
    expect(monitored.lostAt).toBeDefined();
  });

  test("is counted in whole beats since a tick", () => {
    const { currentTick } = heartbeat;
    passBeats(2);
    vi.advanceTimersByTime(-1 + BEAT_MS);
    expect(heartbeat.beatsSince(currentTick)).toBe(2);
    vi.advanceTimersByTime(1);
    expect(heartbeat.beatsSince(currentTick)).toBe(3);
  });
});

test("a stopped heartbeat pings no connection and leaves no timer", () => {
  const monitored = monitor();
  heartbeat.stop();
  passBeats(5);
  expect(monitored.pings).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
