import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Payload } from "../../../src/core/protocol/frame.ts";
import { text } from "../../../src/core/protocol/text.ts";
import { anyBytes, asPayload, jsonFrameTo, mutated, NESTED_JSON, textLineTo } from "../arbitraries.ts";
import { startJsonRelay } from "../json-client.ts";

// Whatever one client sends, only messages that name another client or a room reach anybody else.

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Ids and rooms that exist, and others. `bystanders` are never among them. */
const anyAddress = fc.constantFrom("1", "2", "3", "den", "9", "lobby", "#2", "", "a b", "__proto__", "x".repeat(65));
const jsonText = jsonFrameTo(anyAddress).map((frame) => JSON.stringify(frame));
const textLine = textLineTo(anyAddress);

function anyFrames(valid: fc.Arbitrary<string>): fc.Arbitrary<Payload[]> {
  const frame = fc.oneof(
    { arbitrary: asPayload(valid), weight: 4 },
    { arbitrary: asPayload(mutated(valid)), weight: 2 },
    { arbitrary: anyBytes, weight: 1 },
  );
  return fc.array(frame, { minLength: 1, maxLength: 12 });
}

/** Starts a relay with a client that sends anything, two that it may address, and two that it never addresses. */
function startCrowd() {
  const failures: unknown[] = [];
  const { connect, connectJson, ...rest } = startJsonRelay({
    observer: { failed: (_id, error) => failures.push(error) },
  });
  const addressed = [connect(), connect({ protocol: text })];
  const bystanders = [
    connect({ id: "plain-bystander" }),
    connect({ id: "text-bystander", protocol: text }),
    connectJson({ id: "json-bystander" }),
  ];
  bystanders[1]?.says(":join attic");
  bystanders[2]?.says('{"type":"join","room":"attic"}');
  bystanders[2]?.says('{"type":"watch","id":"plain-bystander"}');
  return { ...rest, connect, connectJson, failures, addressed, bystanders };
}

const senders = [
  ["plain", fc.oneof(textLine, jsonText)],
  ["relay.v1.text", textLine],
  ["relay.v1.json", jsonText],
] as const;

describe.each(senders)("whatever a client of %s sends", (name, valid) => {
  test("reaches no client that it does not name, and causes no failure in the relay", () => {
    fc.assert(
      fc.property(anyFrames(valid), (frames) => {
        const { connect, connectJson, failures, bystanders, relay } = startCrowd();
        const before = bystanders.map(({ connection }) => connection.frames.length);
        const client =
          name === "relay.v1.json" ? connectJson() : connect(name === "relay.v1.text" ? { protocol: text } : {});
        const { sessions } = relay.holdings;
        for (const payload of frames) client.says(payload);
        expect(failures).toEqual([]);
        expect(bystanders.map(({ connection }) => connection.frames.length)).toEqual(before);
        expect(relay.holdings.sessions).toBe(sessions);
        expect(client.did.every((done) => done.startsWith("write "))).toBe(true);
      }),
      { numRuns: 700 },
    );
  });

  test("leaves nothing behind when it goes: no room, no session", () => {
    fc.assert(
      fc.property(anyFrames(valid), (frames) => {
        const { connect, connectJson, relay } = startJsonRelay();
        const client =
          name === "relay.v1.json" ? connectJson() : connect(name === "relay.v1.text" ? { protocol: text } : {});
        for (const payload of frames) client.says(payload);
        client.leaves();
        expect([relay.holdings.sessions, relay.holdings.rooms]).toEqual([0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});

test("each frame of relay.v1.json with an ackId gets one ack, and the relay's frames satisfy the schema", () => {
  fc.assert(
    fc.property(fc.array(jsonFrameTo(anyAddress), { maxLength: 20 }), (frames) => {
      const { connectJson, failures } = startCrowd();
      const client = connectJson();
      for (const frame of frames) client.asks(frame);
      const asked = frames.flatMap((frame) => ("ackId" in frame && frame.ackId !== undefined ? [frame.ackId] : []));
      expect(client.all("ack").map(({ ackId }) => ackId)).toEqual(asked);
      expect(failures).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test.each(NESTED_JSON)(
  "JSON of %i %s costs its sender at most an error, as a frame and in one",
  (_depth, _of, nested) => {
    const { connectJson, failures } = startCrowd();
    const client = connectJson();
    client.says(nested);
    client.says(`{"type":"send","to":"1","data":${nested},"ackId":1}`);
    expect(client.frames.map(({ type }) => type)).toEqual(["welcome", "error", "ack"]);
    expect(failures).toEqual([]);
  },
);
