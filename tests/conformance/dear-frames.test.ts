import { describe, expect, test } from "vitest";
import { connectJson } from "./json-client.ts";
import { runtimes } from "./runtimes.ts";
import { ownServer, sharedServer } from "./subject.ts";

const MEBIBYTE = 1_048_576;
/** docs/protocol.md; the frame's own object is the first level. */
const MAX_DEPTH = 128;

/** A `send` to nobody of the data, up to the largest frame. */
function sendOf(data: string, ackId: number): string {
  return `{"type":"send","to":"nobody","data":${data},"ackId":${ackId}}`;
}

function nested(depth: number, open: string, close: string): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

const deepest = MAX_DEPTH - 1;

/**
 * Texts that are data, or none, and whether a frame with one is good. The same everywhere, whatever the runtime's own
 * JSON makes of it.
 */
const VERDICTS: readonly (readonly [what: string, data: string, isGood: boolean])[] = [
  ["arrays as deep as may be", nested(deepest, "[", "]"), true],
  ["objects as deep as may be", nested(deepest, '{"a":', "}"), true],
  ["arrays one deeper", nested(deepest + 1, "[", "]"), false],
  ["objects one deeper", nested(deepest + 1, '{"a":', "}"), false],
  ["50,000 arrays", nested(50_000, "[", "]"), false],
  ["500,000 arrays", nested(500_000, "[", "]"), false],
  ["100,000 objects", nested(100_000, '{"a":', "}"), false],
  ["brackets in a string", `"${"[".repeat(1000)}"`, true],
  ["the largest double", "1.7976931348623157e308", true],
  ["a number beyond it", "1e400", false],
  ["one of 400 digits", "9".repeat(400), false],
  ["one inside", '{"a":[-1e309]}', false],
  ["one in a string", '"1e400"', true],
  ["a number below the smallest", "1e-400", true],
];

describe.each(runtimes)("a dear frame on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(VERDICTS)("has the same answer as everywhere, under its ackId: %s", async (_what, data, isGood) => {
    const client = await connectJson(server());
    client.sendRaw(sendOf(data, 7));
    const { error, ...ack } = await client.next();
    expect(ack).toEqual({ type: "ack", ackId: 7, outcome: "failed" });
    expect(error).toMatchObject({ code: isGood ? "no_such_id" : "bad_frame", temporary: false });
    if (data.startsWith("[[[[") && !isGood) expect(error).toMatchObject({ message: expect.stringContaining("128") });
  });

  test("is refused under its ackId where something else than data is too deep, or the ackId stands behind it", async () => {
    const client = await connectJson(server());
    for (const frame of [
      `{"ackId":1,"x":${nested(1000, "[", "]")},"type":"ping"}`,
      `{"x":${nested(1000, '{"ackId":3,"a":', "}")},"ack\\u0049d":1}`,
    ]) {
      client.sendRaw(frame);
      expect(await client.next()).toMatchObject({ type: "ack", ackId: 1, error: { code: "bad_frame" } });
    }
  });

  test("that is as deep as may be arrives whole", async () => {
    const [one, two] = [await connectJson(server()), await connectJson(server())];
    const data = nested(deepest, "[", "]");
    one.sendRaw(`{"type":"send","to":"${two.id}","data":${data}}`);
    expect(JSON.stringify((await two.next()).data)).toBe(data);
  });
});

describe.each(runtimes)("frames of which the runtime's own JSON makes far more than they are on $name", (runtime) => {
  // Bun 1.4 makes 80 bytes for each of the largest kind's, and takes two seconds for each frame.
  test.each(['{"999":0},', "{},", "[],"])("take no more memory than others: %s", async (unit) => {
    const server = await ownServer(runtime);
    const client = await connectJson(server);
    const frame = (piece: string, ackId: number): string =>
      sendOf(`[${piece.repeat(Math.floor((MEBIBYTE - 100) / piece.length))}0]`, ackId);
    const ask = async (piece: string): Promise<void> => {
      for (let ackId = 1; ackId <= 5; ackId++) {
        client.sendRaw(frame(piece, ackId));
        expect(await client.next()).toMatchObject({ type: "ack", ackId });
      }
    };
    await ask('"0123456",');
    const before = server.process.peakBytes;
    await ask(unit);
    expect((server.process.peakBytes - before) / MEBIBYTE).toBeLessThan(64);
  });
});
