import { describe, expect, test } from "vitest";
import { connectJson } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

const MEBIBYTE = 1_048_576;
/** Limit of docs/protocol.md; the frame's own object is the first level. */
const MAX_DEPTH = 128;

/** Returns a `send` of this JSON text, to an id that nobody has. */
function sendOf(data: string, ackId: number): string {
  return `{"type":"send","to":"nobody","data":${data},"ackId":${ackId}}`;
}

function nested(depth: number, open: string, close: string): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

const deepest = MAX_DEPTH - 1;

/** Texts for the field `data`, each with whether the frame is valid. The runtime's own JSON parser may disagree. */
const VERDICTS: readonly (readonly [what: string, data: string, isGood: boolean])[] = [
  ["arrays nested to the limit", nested(deepest, "[", "]"), true],
  ["objects nested to the limit", nested(deepest, '{"a":', "}"), true],
  ["arrays nested one level deeper", nested(deepest + 1, "[", "]"), false],
  ["objects nested one level deeper", nested(deepest + 1, '{"a":', "}"), false],
  ["50,000 nested arrays", nested(50_000, "[", "]"), false],
  ["500,000 nested arrays", nested(500_000, "[", "]"), false],
  ["100,000 nested objects", nested(100_000, '{"a":', "}"), false],
  ["brackets in a string", `"${"[".repeat(1000)}"`, true],
  ["the largest double", "1.7976931348623157e308", true],
  ["a number above the largest double", "1e400", false],
  ["a number of 400 digits", "9".repeat(400), false],
  ["a number above the largest double, nested", '{"a":[-1e309]}', false],
  ["a number above the largest double, in a string", '"1e400"', true],
  ["a number below the smallest double", "1e-400", true],
];

describe.each(runtimes)("a frame that is expensive to parse, on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(VERDICTS)("gets the same answer on every runtime, under its ackId: %s", async (_what, data, isGood) => {
    const client = await connectJson(server());
    client.sendRaw(sendOf(data, 7));
    const { error, ...ack } = await client.next();
    expect(ack).toEqual({ type: "ack", ackId: 7, outcome: "failed" });
    expect(error).toMatchObject({ code: isGood ? "no_such_id" : "bad_frame", temporary: false });
    if (data.startsWith("[[[[") && !isGood) expect(error).toMatchObject({ message: expect.stringContaining("128") });
  });

  test("is refused under its ackId where another field is nested too deep, even one before the ackId", async () => {
    const client = await connectJson(server());
    for (const frame of [
      `{"ackId":1,"x":${nested(1000, "[", "]")},"type":"ping"}`,
      `{"x":${nested(1000, '{"ackId":3,"a":', "}")},"ack\\u0049d":1}`,
    ]) {
      client.sendRaw(frame);
      expect(await client.next()).toMatchObject({ type: "ack", ackId: 1, error: { code: "bad_frame" } });
    }
  });

  test("arrives complete where it is nested to the limit", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    const data = nested(deepest, "[", "]");
    one.sendRaw(`{"type":"send","to":"${two.id}","data":${data}}`);
    expect(JSON.stringify((await two.next()).data)).toBe(data);
  });
});

describe.each(runtimes)("frames whose parsed JSON is far larger than their text, on $name", (runtime) => {
  // JSON.parse of Bun 1.4 takes 80 bytes of memory for each byte of the first kind, and two seconds for each frame.
  test.each(['{"999":0},', "{},", "[],"])("take no more memory than other frames: %s repeated", async (unit) => {
    const server = await ownServer(runtime);
    const client = await connectJson(server);
    const frame = (piece: string, ackId: number): string =>
      sendOf(`[${piece.repeat(Math.floor((MEBIBYTE - 100) / piece.length))}0]`, ackId);
    const askFiveTimes = async (piece: string): Promise<void> => {
      for (let ackId = 1; ackId <= 5; ackId++) {
        client.sendRaw(frame(piece, ackId));
        expect(await client.next()).toMatchObject({ type: "ack", ackId });
      }
    };
    await askFiveTimes('"0123456",');
    const before = server.process.peakBytes;
    await askFiveTimes(unit);
    expect((server.process.peakBytes - before) / MEBIBYTE).toBeLessThan(64);
  });
});
