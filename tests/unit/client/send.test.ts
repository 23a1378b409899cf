import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RelayFrame } from "../../../src/core/protocol/json-frames.ts";
import { startClient, stateOf } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function failed(ackId: number, code: "no_such_id" | "too_slow"): RelayFrame {
  const error = { code, message: "Cannot send", temporary: code === "too_slow" };
  return { type: "ack", ackId, outcome: "failed", error };
}

function startWelcomed(limits = { maxMessageBytes: 1_048_576, maxUnackedSends: 256 }) {
  const started = startClient();
  started.socket().welcomes({ limits });
  return started;
}

describe("a send", () => {
  test.each(["delivered", "queued"] as const)(
    "gives %s where the relay says so, and nothing before",
    async (outcome) => {
      const { client, socket } = startWelcomed();
      const send = client.send("3", { a: 1 });
      expect(socket().all("send")).toEqual([{ type: "send", to: "3", data: { a: 1 }, ackId: 1 }]);
      expect(await stateOf(send)).toBe("pending");
      socket().acks(1, outcome);
      expect(await stateOf(send)).toBe(outcome);
    },
  );

  test.each(["no_such_id", "too_slow"] as const)("fails with the relay's own code, %s", async (code) => {
    const { client, socket } = startWelcomed();
    const send = client.send("9", "hi");
    socket().tells(failed(1, code));
    await expect(send).rejects.toMatchObject({
      name: "RelayError",
      code,
      message: "Cannot send",
      temporary: code === "too_slow",
    });
  });

  test("gets its own outcome, in whatever order the acks come", async () => {
    const { client, socket } = startWelcomed();
    const sends = ["a", "b", "c"].map((data) => client.send("3", data));
    expect(socket().asked).toEqual(["a#1", "b#2", "c#3"]);
    socket().acks(3, "queued");
    socket().tells(failed(1, "no_such_id"));
    socket().acks(2);
    expect(await Promise.all(sends.map(stateOf))).toEqual(["failed no_such_id", "delivered", "queued"]);
  });

  test("of bytes is base64, for any number of bytes", () => {
    const { client, socket } = startWelcomed();
    void client.send("3", new Uint8Array([0, 255]));
    void client.send("3", Buffer.from("text"));
    void client.send("3", new Uint8Array(200_000));
    expect(socket().all("send")).toMatchObject([
      { data: "AP8=", encoding: "base64" },
      { data: "dGV4dA==", encoding: "base64" },
      { data: Buffer.alloc(200_000).toString("base64"), encoding: "base64" },
    ]);
  });

  test("before the first welcome waits for the welcome, in order", () => {
    const { client, socket } = startClient();
    for (const data of ["a", "b"]) void client.send("3", data);
    expect(socket().sent).toEqual([]);
    socket().welcomes();
    void client.send("3", "c");
    expect(socket().asked).toEqual(["a#1", "b#2", "c#3"]);
  });

  test("of data that is no JSON fails at once, and the next send works", async () => {
    const { client, socket } = startWelcomed();
    expect(await stateOf(client.send("3", 1n))).toBe("failed bad_data");
    void client.send("3", "fine");
    expect(socket().asked).toEqual([expect.stringMatching(/^fine#/)]);
  });

  test("is not affected by an ack without a request, nor by a second ack", async () => {
    const { client, socket } = startWelcomed({ maxMessageBytes: 1000, maxUnackedSends: 1 });
    const send = client.send("3", "a");
    socket().acks(99);
    socket().acks(1);
    socket().acks(1, "queued");
    expect(await stateOf(send)).toBe("delivered");
    for (const data of ["b", "c"]) void client.send("3", data);
    expect(socket().asked).toEqual(["a#1", "b#2"]);
  });
});

describe("with as many sends in flight as the relay remembers", () => {
  test("the next one waits for an ack, in its turn", () => {
    const { client, socket } = startWelcomed({ maxMessageBytes: 1000, maxUnackedSends: 2 });
    for (const data of ["a", "b", "c", "d"]) void client.send("3", data).catch(() => {});
    expect(socket().asked).toEqual(["a#1", "b#2"]);
    socket().tells(failed(2, "too_slow"));
    expect(socket().asked).toEqual(["a#1", "b#2", "c#3"]);
    socket().acks(1);
    expect(socket().asked).toEqual(["a#1", "b#2", "c#3", "d#4"]);
  });

  test("none is lost, and there are never more in flight", async () => {
    const { client, socket } = startWelcomed({ maxMessageBytes: 1000, maxUnackedSends: 16 });
    const sends = Array.from({ length: 100 }, (_, at) => client.send("3", at));
    for (let answered = 0; answered < 100; answered++) {
      expect(socket().asked.length).toBe(Math.min(100, answered + 16));
      socket().acks(answered + 1);
    }
    expect(await Promise.all(sends.map(stateOf))).toEqual(sends.map(() => "delivered"));
  });
});

describe("a frame over the relay's maxMessageBytes", () => {
  const frame = (data: string): string => JSON.stringify({ type: "send", to: "3", data, ackId: 1 });
  const limits = { maxMessageBytes: Buffer.byteLength(frame("好".repeat(10))), maxUnackedSends: 1 };

  test("fails with too_large and is not sent; a frame of exactly that size is sent", async () => {
    const { client, socket } = startWelcomed(limits);
    const fits = client.send("3", "好".repeat(10));
    expect(socket().asked.length).toBe(1);
    socket().acks(1);
    const tooLarge = client.send("3", `${"好".repeat(10)}a`);
    expect(await stateOf(tooLarge)).toBe("failed too_large");
    await expect(tooLarge).rejects.toMatchObject({ temporary: false });
    expect(await stateOf(fits)).toBe("delivered");
    expect(socket().asked.length).toBe(1);
  });

  test("does not count as in flight", () => {
    const { client, socket } = startWelcomed(limits);
    client.send("3", "x".repeat(1000)).catch(() => {});
    void client.send("3", "fits");
    expect(socket().asked).toEqual(["fits#2"]);
  });

  test("that waited for the welcome fails at the welcome", async () => {
    const { client, socket } = startClient();
    const send = client.send("3", "x".repeat(1000));
    expect(await stateOf(send)).toBe("pending");
    socket().welcomes({ limits });
    expect(await stateOf(send)).toBe("failed too_large");
  });
});

describe("the queue of sends without an outcome", () => {
  test("is bounded in number: one more fails with queue_full at once, and works when there is room again", async () => {
    const { client, socket } = startClient({ maxQueuedSends: 2 });
    const sends = ["a", "b", "c"].map((data) => client.send("3", data));
    expect(await Promise.all(sends.map(stateOf))).toEqual(["pending", "pending", "failed queue_full"]);
    await expect(sends[2]).rejects.toMatchObject({ name: "RelayError", temporary: true });
    expect(await stateOf(client.room("lobby").join())).toBe("failed queue_full");
    socket().welcomes();
    socket().acks(1);
    void client.send("3", "d");
    expect(
      socket()
        .all("send")
        .map(({ data }) => data),
    ).toEqual(["a", "b", "d"]);
  });

  test("is bounded in bytes; the defaults are 10,000 sends and 16 MiB", async () => {
    const { client } = startClient({ maxQueuedBytes: 200 });
    const sends = ["x".repeat(100), "x".repeat(100), "y"].map((data) => client.send("3", data));
    expect(await Promise.all(sends.map(stateOf))).toEqual(["pending", "failed queue_full", "pending"]);

    const many = startClient().client;
    for (let times = 0; times < 10_000; times++) void many.send("3", "");
    expect(await stateOf(many.send("3", ""))).toBe("failed queue_full");

    const large = startClient().client;
    for (let times = 0; times < 16; times++) void large.send("3", "x".repeat(1_048_500));
    expect(await stateOf(large.send("3", "x".repeat(1_048_576)))).toBe("failed queue_full");
  });

  test("has room again when a send settles in any way", async () => {
    const { client, socket } = startClient({ maxQueuedSends: 1 });
    const abort = new AbortController();
    const aborted = client.send("3", "a", { signal: abort.signal });
    abort.abort();
    const tooLarge = client.send("3", "x".repeat(200));
    socket().welcomes({ limits: { maxMessageBytes: 180, maxUnackedSends: 1 } });
    const failing = client.send("3", "c");
    socket().tells(failed(3, "no_such_id"));
    const lost = client.send("3", "d");
    socket().ends();
    vi.advanceTimersByTime(500);
    socket().welcomes();
    const next = client.send("3", "x".repeat(100));
    socket().acks(5);
    expect(await Promise.all([aborted, tooLarge, failing, lost, next].map(stateOf))).toEqual([
      "failed aborted",
      "failed too_large",
      "failed no_such_id",
      "failed connection_lost",
      "delivered",
    ]);
  });
});

test("the queue of sends has room for their bytes again too", async () => {
  const { client, socket } = startClient({ maxQueuedBytes: 150 });
  socket().welcomes();
  for (let ackId = 1; ackId <= 10; ackId++) {
    const send = client.send("3", "x".repeat(50));
    socket().acks(ackId);
    expect(await stateOf(send)).toBe("delivered");
  }
  expect(await Promise.all(["a", "b"].map((data) => stateOf(client.send("3", data))))).toEqual(["pending", "pending"]);
});

test("promises that the app ignores never end the process", async () => {
  vi.useRealTimers();
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on("unhandledRejection", listen);
  const { client, socket } = startWelcomed();
  const room = client.room("lobby");
  const asked = [
    client.send("3", "fails"),
    client.send("3", undefined),
    client.send("3", "is on its way"),
    room.publish("x"),
    room.join(),
    room.leave(),
    room.members(),
    client.watch("3"),
    client.unwatch("3"),
  ];
  socket().tells(failed(1, "no_such_id"));
  client.close();
  void client.send("3", "late");
  // Node reports a rejection after the microtasks that follow it.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", listen);
  expect(unhandled).toEqual([]);
  expect(await Promise.all(asked.map(stateOf))).toEqual([
    "failed no_such_id",
    "failed bad_data",
    ...Array.from({ length: 7 }, () => "failed closed"),
  ]);
});

describe("an AbortSignal of a send", () => {
  test("that is aborted already sends nothing", async () => {
    const { client, socket } = startWelcomed();
    expect(await stateOf(client.send("3", "hi", { signal: AbortSignal.abort() }))).toBe("failed aborted");
    expect(socket().asked).toEqual([]);
  });

  test("removes a send that is not in flight yet", async () => {
    const { client, socket } = startClient();
    const abort = new AbortController();
    const send = client.send("3", "a", { signal: abort.signal });
    void client.send("3", "b");
    abort.abort();
    expect(await stateOf(send)).toBe("failed aborted");
    socket().welcomes();
    expect(socket().asked).toEqual(["b#2"]);
  });

  test("rejects a send in flight, which keeps its place until its ack comes", async () => {
    const { client, socket } = startWelcomed({ maxMessageBytes: 1000, maxUnackedSends: 1 });
    const abort = new AbortController();
    const send = client.send("3", "a", { signal: abort.signal });
    const next = client.send("3", "b");
    abort.abort();
    expect(await stateOf(send)).toBe("failed aborted");
    expect(socket().asked).toEqual(["a#1"]);
    socket().acks(1);
    expect(socket().asked).toEqual(["a#1", "b#2"]);
    socket().acks(2);
    expect(await stateOf(next)).toBe("delivered");
  });

  test("has no listeners once it was aborted", async () => {
    const { client, socket } = startWelcomed({ maxMessageBytes: 1000, maxUnackedSends: 1 });
    for (const isWaiting of [true, false]) {
      const abort = new AbortController();
      const { signal } = abort;
      const sends = ["on its way", "not yet", Number.NaN].map((data) => client.send("3", data, { signal }));
      if (isWaiting) abort.abort();
      else client.close();
      const expected = isWaiting ? "failed aborted" : "failed closed";
      expect(await Promise.all(sends.map(stateOf))).toEqual([expected, expected, "failed bad_data"]);
      expect(getEventListeners(signal, "abort")).toEqual([]);
    }
    expect(socket().asked.length).toBe(1);
  });

  test("has no listeners once its sends are settled in any way", async () => {
    const { client, socket } = startWelcomed();
    const { signal } = new AbortController();
    const sends = ["a", "b", "x".repeat(2_000_000), "c"].map((data) => client.send("3", data, { signal }));
    socket().acks(1);
    socket().tells(failed(2, "no_such_id"));
    client.close();
    expect(await Promise.all(sends.map(stateOf))).toEqual([
      "delivered",
      "failed no_such_id",
      "failed too_large",
      "failed closed",
    ]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
