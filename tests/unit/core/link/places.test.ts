import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Places } from "../../../../src/core/link/places.ts";
import { Relay } from "../../../../src/core/relay.ts";
import { FakeConnection, startRelay } from "../../fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const defect = (): never => {
  throw new Error("a defect");
};

describe("a place", () => {
  test("can be taken once at a time, and is given back once however often it is released", () => {
    const places = new Places(1);
    const released = vi.fn();
    const place = places.take(released);
    expect([places.used, places.areFull, places.take()]).toEqual([1, true, undefined]);
    place?.release();
    place?.release();
    expect([places.used, place?.isReleased, released.mock.calls.length]).toEqual([0, true, 1]);
    expect(places.take()).toBeDefined();
  });

  test("of the relay counts before its connection is open, and until its socket is gone", () => {
    const { relay } = startRelay({ limits: { maxConnections: 1 } });
    const place = relay.takePlace();
    expect([relay.accepts, relay.takePlace(), relay.holdings.connections]).toEqual([false, undefined, 0]);
    const link = relay.open(new FakeConnection(), {}, place);
    link.startClosing({ code: 1000, reason: "", reconnect: true });
    expect(relay.accepts).toBe(false);
    link.onSocketGone(1000, "");
    expect(relay.accepts).toBe(true);
  });

  test("that was released meanwhile opens nothing", () => {
    const { relay } = startRelay();
    const place = relay.takePlace();
    place?.release();
    const connection = new FakeConnection();
    relay.open(connection, {}, place);
    expect([connection.did, relay.holdings.sessions]).toEqual([["close 1013"], 0]);
  });

  test("that was taken before a shutdown opens nothing after it", () => {
    const { relay } = startRelay();
    const place = relay.takePlace();
    relay.shutdown();
    const connection = new FakeConnection();
    relay.openEcho(connection, place);
    expect(connection.did).toEqual(["close 1001"]);
  });
});

describe("a connection on whose opening", () => {
  test("a hook shuts the relay down is closed with the others, and the shutdown waits for it", async () => {
    let done: Promise<void> | undefined;
    const relay: Relay = new Relay({
      hooks: {
        onOpen: () => {
          done = relay.shutdown();
        },
      },
    });
    const connection = new FakeConnection();
    const link = relay.open(connection);
    expect(connection.did.at(-1)).toBe("close 1001");
    const isDone = vi.fn();
    done?.then(isDone);
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone).not.toHaveBeenCalled();
    link.onSocketGone(1001, "");
    await vi.advanceTimersByTimeAsync(0);
    expect(isDone).toHaveBeenCalled();
    expect(relay.holdings).toMatchObject({ connections: 0, sessions: 0 });
  });

  test("the observer throws, and again at its end, is a session like any, and gives its place back", () => {
    const failures: unknown[] = [];
    const { relay, connect } = startRelay({
      limits: { maxConnections: 2 },
      observer: { connected: defect, left: defect, missed: defect, beat: defect, failed: (id) => failures.push(id) },
    });
    const [one, two] = [connect(), connect()];
    one.says("2:hi");
    expect(two.heard).toEqual(["hi"]);
    one.link.onPong();
    for (const client of [one, two]) client.leaves();
    expect(relay.accepts).toBe(true);
    expect(failures).toEqual(Array.from({ length: 5 }, () => "observer"));
  });

  test("every member of the observer throws, even failed, is a session like any", () => {
    const { relay, connect } = startRelay({
      observer: { connected: defect, left: defect, failed: defect },
      hooks: { onOpen: defect, onClose: defect },
    });
    const one = connect();
    one.says("1:me");
    expect(one.heard).toEqual(["me"]);
    one.leaves();
    expect(relay.holdings).toMatchObject({ connections: 0, sessions: 0 });
  });
});
