import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Starts a welcomed client that the test can have reconnect. */
function startWelcomed(maxUnackedSends = 256) {
  const started = startClient();
  const limits = { maxMessageBytes: 1_048_576, maxUnackedSends };
  started.socket().welcomes({ limits });
  /** Ends the connection, and welcomes the client on the next one. */
  const reconnect = (resumed: boolean): void => {
    started.socket().ends();
    vi.advanceTimersByTime(0);
    started.socket().welcomes({ resumed, recovered: resumed, resumeToken: "token-2", limits });
  };
  return { ...started, reconnect };
}

describe("a send whose ack was lost with the connection", () => {
  test("is sent again after a resume, with the same ackId, before new sends", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const sends = ["a", "b", "c"].map((data) => client.send("3", data));
    socket().acks(2);
    reconnect(true);
    void client.send("3", "d");
    expect(socket().asked).toEqual(["a#1", "c#3", "d#4"]);
    socket().acks(1);
    socket().acks(3);
    expect(await Promise.all(sends.map(stateOf))).toEqual(["delivered", "delivered", "delivered"]);
  });

  test("has the outcome of the first time, where it had arrived", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const sends = ["a", "b", "c"].map((data) => client.send("3", data));
    reconnect(true);
    const duplicate = { code: "duplicate", message: "Cannot send", temporary: false } as const;
    const nobody = { code: "no_such_id", message: "Nobody", temporary: false } as const;
    socket().tells(
      { type: "ack", ackId: 1, outcome: "failed", error: duplicate, original: { outcome: "queued" } },
      { type: "ack", ackId: 2, outcome: "failed", error: duplicate, original: { outcome: "failed", error: nobody } },
      { type: "ack", ackId: 3, outcome: "failed", error: duplicate },
    );
    expect(await Promise.all(sends.map(stateOf))).toEqual(["queued", "failed no_such_id", "failed duplicate"]);
  });

  test("is sent again in a new session where the relay restarts (1012), because it was not carried out", async () => {
    const { client, socket, named } = startWelcomed();
    const sends = ["a", "b"].map((data) => client.send("3", data));
    socket().acks(1);
    socket().ends(1012, "The relay restarts: connect again");
    vi.advanceTimersByTime(0);
    socket().ends();
    void client.send("3", "c");
    vi.advanceTimersByTime(0);
    socket().welcomes({ resumed: false });
    expect(socket().asked).toEqual(["b#2", "c#3"]);
    socket().acks(2, "queued");
    expect(await Promise.all(sends.map(stateOf))).toEqual(["delivered", "queued"]);
    expect(named("disconnected").length).toBe(2);
  });

  test("fails with connection_lost in a new session, because it may have arrived", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const send = client.send("3", "a");
    reconnect(false);
    expect(await stateOf(send)).toBe("failed connection_lost");
    expect(socket().asked).toEqual([]);
  });

  test("is sent again through any number of resumes", async () => {
    const { client, socket, reconnect } = startWelcomed();
    const send = client.send("3", "a");
    for (let times = 0; times < 5; times++) {
      reconnect(true);
      expect(socket().asked).toEqual(["a#1"]);
    }
    socket().acks(1);
    expect(await stateOf(send)).toBe("delivered");
    reconnect(true);
    expect(socket().asked).toEqual([]);
  });

  test("also fails when its connection is lost a second time before the session ends", async () => {
    const { client, reconnect } = startWelcomed(1);
    const sends = ["a", "b"].map((data) => client.send("3", data));
    reconnect(true);
    reconnect(false);
    expect(await Promise.all(sends.map(stateOf))).toEqual(["failed connection_lost", "pending"]);
  });
});

describe("a send that was never written", () => {
  test("is sent over the next connection, resumed or not, with its ackId", () => {
    for (const resumed of [true, false]) {
      const { client, socket } = startWelcomed();
      socket().ends();
      for (const data of ["a", "b"]) void client.send("3", data);
      vi.advanceTimersByTime(0);
      expect(socket().sent).toEqual([]);
      socket().welcomes({ resumed });
      expect(socket().asked).toEqual(["a#1", "b#2"]);
    }
  });

  test("waits its turn: after a resume no more sends are in flight than the relay remembers", () => {
    const { client, socket, reconnect } = startWelcomed(2);
    for (const data of ["a", "b", "c", "d"]) void client.send("3", data);
    reconnect(true);
    expect(socket().asked).toEqual(["a#1", "b#2"]);
    socket().acks(1);
    expect(socket().asked).toEqual(["a#1", "b#2", "c#3"]);
  });

  test("is sent in a new session, where the earlier ones fail", () => {
    const { client, socket, reconnect } = startWelcomed(2);
    for (const data of ["a", "b", "c"]) client.send("3", data).catch(() => {});
    reconnect(false);
    expect(socket().asked).toEqual(["c#3"]);
  });
});

test("an aborted send in flight is sent again after a resume, so that its ackId is not missing", () => {
  const { client, socket, reconnect } = startWelcomed();
  const abort = new AbortController();
  client.send("3", "a", { signal: abort.signal }).catch(() => {});
  abort.abort();
  reconnect(true);
  expect(socket().asked).toEqual(["a#1"]);
});
