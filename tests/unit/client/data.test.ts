import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Frame } from "../../../src/core/protocol/frame.ts";
import { json } from "../../../src/core/protocol/json.ts";
import { startClient } from "./fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function startWelcomed() {
  const started = startClient();
  started.socket().welcomes();
  return started;
}

/** Bytes 1 to 8 in the middle of a buffer of 16. */
function middle(): readonly [buffer: ArrayBuffer, byteOffset: number] {
  const buffer = new ArrayBuffer(16);
  new Uint8Array(buffer, 8, 8).set([1, 2, 3, 4, 5, 6, 7, 8]);
  return [buffer, 8];
}

const EIGHT = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]).toString("base64");

describe("bytes", () => {
  test.each([
    ["an ArrayBuffer", () => middle()[0].slice(8)],
    [
      "a SharedArrayBuffer",
      () => {
        const shared = new SharedArrayBuffer(8);
        new Uint8Array(shared).set([1, 2, 3, 4, 5, 6, 7, 8]);
        return shared;
      },
    ],
    ["a DataView", () => new DataView(...middle())],
    ["an Int8Array", () => new Int8Array(...middle())],
    ["a Uint8ClampedArray", () => new Uint8ClampedArray(...middle())],
    ["a Uint16Array", () => new Uint16Array(...middle())],
    ["an Int32Array", () => new Int32Array(...middle())],
    ["a Float32Array", () => new Float32Array(...middle())],
    ["a Float64Array", () => new Float64Array(...middle())],
    ["a BigUint64Array", () => new BigUint64Array(...middle())],
    ["a Buffer", () => Buffer.from(...middle())],
    ["an ArrayBuffer of another realm", () => runInNewContext("new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer")],
  ])("in %s are sent and published unchanged", (_what, make) => {
    const { client, socket } = startWelcomed();
    void client.send("3", make());
    void client.room("lobby").publish(make());
    const fields = { data: EIGHT, encoding: "base64" };
    expect([...socket().all("send"), ...socket().all("publish")]).toMatchObject([fields, fields]);
  });

  test("of every value and in any number go out and come in unchanged", () => {
    const { client, socket } = startWelcomed();
    const received: unknown[] = [];
    client.on("message", ({ data }) => received.push(data));
    for (const [index, length] of [0, 1, 8191, 8192, 8193, 100_003].entries()) {
      const bytes = Uint8Array.from({ length }, (_, at) => at * 31 + (at >> 8));
      void client.send("3", bytes);
      const data = Buffer.from(bytes).toString("base64");
      expect(socket().all("send").at(-1)?.data).toBe(data);
      const numbers = { from: "3", sequenceId: index + 1 };
      socket().tells({ type: "message", data, encoding: "base64", ...numbers });
      expect(received.at(-1)).toEqual(bytes);
    }
  });

  test("go out and come in as they are where the relay takes binary frames", () => {
    const { client, socket } = startClient();
    const received: unknown[] = [];
    client.on("message", ({ from, room, data }) => received.push([from, room, data]));
    const bytes = Uint8Array.from([0, 10, 255]);
    void client.send("é", bytes);
    socket().protocol = "relay.v1.json-bytes";
    socket().welcomes();
    void client.room("lobby").publish(bytes);
    void client.send("3", "text");
    const heads = ['{"type":"send","to":"é","ackId":1}', '{"type":"publish","room":"lobby","echo":false,"ackId":2}'];
    expect(socket().sentBytes.map((frame) => Buffer.from(frame))).toEqual(
      heads.map((head) => Buffer.concat([Buffer.from(`${head}\n`), bytes])),
    );
    expect(socket().all("send")).toEqual([{ type: "send", to: "3", data: "text", ackId: 3 }]);
    expect(socket().binaryType).toBe("arraybuffer");
    const head = '{"type":"message","from":"3","room":"lobby","sequenceId":1}\n';
    socket().hears(new Uint8Array([...Buffer.from(head), ...bytes]).buffer);
    expect(received).toEqual([["3", "lobby", bytes]]);
  });

  test("that wait for a connection take the form that each relay speaks", () => {
    const { client, socket } = startClient({ minDelayMs: 0 });
    socket().protocol = "relay.v1.json-bytes";
    socket().welcomes();
    void client.send("3", new Uint8Array([1]));
    expect(socket().sentBytes).toHaveLength(1);
    socket().ends();
    vi.advanceTimersByTime(10);
    socket().welcomes({ resumed: true });
    expect(socket().all("send")).toEqual([{ type: "send", to: "3", data: "AQ==", encoding: "base64", ackId: 1 }]);
  });

  test("count as they are against the largest message of the relay", async () => {
    const { client, socket } = startClient();
    socket().protocol = "relay.v1.json-bytes";
    socket().welcomes({ limits: { maxMessageBytes: 100, maxUnackedSends: 256 } });
    const head = '{"type":"send","to":"3","ackId":1}\n'.length;
    void client.send("3", new Uint8Array(100 - head));
    expect(socket().sentBytes.map(({ length }) => length)).toEqual([100]);
    await expect(client.send("3", new Uint8Array(101 - head))).rejects.toMatchObject({ code: "too_large" });
  });

  test("without a head are no frame of a relay", () => {
    const { socket, events } = startClient();
    socket().protocol = "relay.v1.json-bytes";
    socket().hears(new Uint8Array([1, 2, 3]).buffer);
    expect(events).toMatchObject([["disconnected", { reason: "This is no relay" }]]);
  });

  test("are copied when they are sent", () => {
    const { client, socket } = startClient();
    const bytes = new Uint8Array([1]);
    void client.send("3", bytes);
    bytes[0] = 2;
    socket().welcomes();
    expect(socket().all("send")).toMatchObject([{ data: "AQ==" }]);
  });
});

test.each([
  null,
  false,
  0,
  -1.5,
  "",
  "\ud800",
  [],
  {},
  [[], {}, [null]],
  { "": { "": 1 }, a: [{ b: "c" }] },
  { type: "send", ackId: 9, data: 1 },
])("the JSON value %j is sent unchanged", (data) => {
  const { client, socket } = startWelcomed();
  void client.send("3", data);
  expect(socket().sent.at(-1)).toEqual({ type: "send", to: "3", data, ackId: 1 });
});

test("a value that occurs twice is no cycle; toJSON and undefined properties work as in JSON.stringify", () => {
  const { client, socket } = startWelcomed();
  const twice = { a: {} };
  const at = new Date(0);
  class Point {
    x = 1;
    y = undefined;
  }
  void client.send("3", [twice, { twice }, at, new Point()]);
  expect(socket().all("send")).toMatchObject([{ data: [{ a: {} }, { twice: { a: {} } }, at.toJSON(), { x: 1 }] }]);
});

/** Makes nested arrays with this number of levels. */
function nested(levels: number): unknown {
  let data: unknown = [];
  for (let level = 1; level < levels; level++) data = [data];
  return data;
}

test("data of 127 levels is sent: with the frame there are 128, the most that the relay reads", () => {
  const { client, socket } = startWelcomed();
  void client.send("3", nested(127));
  const [frame] = socket().all("send");
  const read = (data: unknown) => json.decode(new Frame(JSON.stringify({ ...frame, data }), false)).type;
  expect([read(frame?.data), read([frame?.data])]).toEqual(["send", "refused"]);
});

describe("a value that JSON would change is refused before anything is sent:", () => {
  const cycle: Record<string, unknown> = {};
  cycle.list = [cycle];
  const transferred = new ArrayBuffer(8);
  const transferredView = new DataView(transferred);
  structuredClone(transferred, { transfer: [transferred] });
  const thrower = {
    toJSON(): never {
      throw new Error("a defect");
    },
  };

  test.each<[string, unknown, RegExp]>([
    ["undefined", undefined, /data is no JSON but Undefined/],
    ["undefined in an array", { a: [1, undefined] }, /data\.a\.1 is no JSON but Undefined/],
    ["a hole in an array", [new Array(1)], /data\.0\.0 is no JSON but Undefined/],
    ["a function", () => 1, /data is no JSON but Function/],
    ["a function in an object", { run: () => 1 }, /data\.run is no JSON but Function/],
    ["a symbol", [Symbol("s")], /data\.0 is no JSON but Symbol/],
    ["a BigInt", { a: { b: 1n } }, /data\.a\.b is no JSON but BigInt/],
    ["NaN", [Number.NaN], /data\.0 is no JSON but NaN/],
    ["Infinity", { x: Number.NEGATIVE_INFINITY }, /data\.x is no JSON but -Infinity/],
    ["a Map", new Map(), /data is no JSON but Map/],
    ["a Set", { all: new Set() }, /data\.all is no JSON but Set/],
    ["a Blob", new Blob(["x"]), /data is no JSON but Blob/],
    ["a promise that was not awaited", Promise.resolve(1), /data is no JSON but Promise/],
    ["an Error", { error: new Error("x") }, /data\.error is no JSON but Error/],
    ["a RegExp", /x/, /data is no JSON but RegExp/],
    ["bytes inside JSON", { file: { bytes: new Uint8Array(1) } }, /data\.file\.bytes is no JSON but Uint8Array/],
    [
      "a Buffer inside JSON, whose toJSON makes an object of it",
      [Buffer.alloc(1)],
      /data\.0 is no JSON but Uint8Array/,
    ],
    ["an ArrayBuffer inside JSON", [new ArrayBuffer(1)], /data\.0 is no JSON but ArrayBuffer/],
    ["a buffer that was transferred", transferred, /./],
    ["a view of a buffer that was transferred", transferredView, /./],
    ["a cycle", cycle, /part of itself/],
    ["128 levels", nested(128), /deeper than 127 levels/],
    ["5,000 levels", nested(5000), /deeper than 127 levels/],
    ["a toJSON that gives nothing", { a: { toJSON: () => undefined } }, /data\.a is no JSON but Undefined/],
    ["a toJSON that gives a Map", { a: { toJSON: () => new Map() } }, /data\.a is no JSON but Map/],
    ["a toJSON that throws", [thrower], /a defect/],
  ])("%s", async (_what, data, message) => {
    const { client, socket } = startWelcomed();
    const { sent } = socket();
    const { length } = sent;
    for (const failed of [client.send("3", data), client.room("lobby").publish(data)]) {
      await expect(failed).rejects.toMatchObject({ name: "RelayError", code: "bad_data", temporary: false });
      await expect(failed).rejects.toThrow(message);
    }
    expect(sent.length).toBe(length);
    void client.send("3", "fine");
    expect(socket().asked.length).toBe(1);
  });
});
