import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Frame, frameBytes } from "../../../src/core/protocol/frame.ts";
import { jsonBytes } from "../../../src/core/protocol/json-bytes.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const BODY = Buffer.from([0, 10, 255]);

function inBinary(head: object): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), BODY]);
}

/** The binary frames among these, as head and body. */
function binaryFrames(frames: readonly Frame[]) {
  return frames.flatMap((frame) => {
    if (!frame.binary) return [];
    const content = Buffer.from(frameBytes(frame));
    const end = content.indexOf("\n");
    return [{ ...JSON.parse(content.toString("utf8", 0, end)), body: content.subarray(end + 1) }];
  });
}

/** Connects two clients that send bytes as they are, and one of relay.v1.json. */
function start() {
  const started = startJsonRelay();
  const { connectJson, turn } = started;
  const [one, two, old] = [connectJson({ protocol: jsonBytes }), connectJson({ protocol: jsonBytes }), connectJson()];
  const says = (head: object): void => {
    one.link.onMessage(inBinary(head), true);
    turn.end();
  };
  return { ...started, one, two, old, says };
}

describe("bytes in a binary frame", () => {
  test("are delivered, numbered and acknowledged, and are not sent again under the same ackId", () => {
    const { one, two, says } = start();
    for (const ackId of [1, 1, 2]) says({ type: "send", to: two.welcome.id, ackId });
    expect(binaryFrames(two.connection.frames)).toEqual([
      { type: "message", from: one.welcome.id, sequenceId: 1, body: BODY },
      { type: "message", from: one.welcome.id, sequenceId: 2, body: BODY },
    ]);
    expect(one.all("ack")).toMatchObject([
      { ackId: 1, outcome: "delivered" },
      { ackId: 1, outcome: "failed", error: { code: "duplicate" }, original: { outcome: "delivered" } },
      { ackId: 2, outcome: "delivered" },
    ]);
  });

  test("wait in the mailbox, and come again after a resume with their numbers", () => {
    const { one, two, says, connectJson } = start();
    says({ type: "send", to: two.welcome.id, ackId: 1 });
    two.vanishes();
    says({ type: "send", to: two.welcome.id, ackId: 2 });
    expect(one.all("ack").at(-1)).toMatchObject({ outcome: "queued" });
    const back = connectJson({ protocol: jsonBytes, resume: two.welcome.resumeToken });
    expect(binaryFrames(back.connection.frames).map(({ sequenceId, body }) => [sequenceId, body])).toEqual([
      [1, BODY],
      [2, BODY],
    ]);
  });

  test("reach the members of a room in the form of their protocols", () => {
    const { one, two, old, says } = start();
    for (const client of [one, two, old]) client.asks({ type: "join", room: "lobby" });
    says({ type: "publish", room: "lobby", echo: true, ackId: 1 });
    expect(one.all("ack")).toMatchObject([{ ackId: 1, recipients: 3 }]);
    const message = { type: "message", from: one.welcome.id, room: "lobby", sequenceId: 1 };
    for (const { connection } of [one, two]) {
      expect(binaryFrames(connection.frames)).toEqual([{ ...message, body: BODY }]);
    }
    expect(old.all("message")).toEqual([{ ...message, data: BODY.toString("base64"), encoding: "base64" }]);
  });

  test("that cannot be read are answered under their ackId", () => {
    const { one, says } = start();
    says({ type: "send", to: "7", data: 1, ackId: 5 });
    expect(one.all("ack")).toMatchObject([{ ackId: 5, outcome: "failed", error: { code: "bad_frame" } }]);
  });

  test("are refused with too_large where a mailbox could not hold them", () => {
    const { connectJson, turn } = startJsonRelay({ limits: { maxMailboxBytes: 40 } });
    const one = connectJson({ protocol: jsonBytes });
    one.link.onMessage(inBinary({ type: "send", to: one.welcome.id, ackId: 1 }), true);
    turn.end();
    expect(one.all("ack")).toMatchObject([{ outcome: "failed", error: { code: "too_large" } }]);
  });
});
