import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { text } from "../../../src/core/protocol/text.ts";
import { BEAT_MS, passBeats } from "../fakes.ts";
import { startJsonRelay } from "../json-client.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a client of relay.v1.json", () => {
  test("gets a welcome with all that it needs first", () => {
    const { connectJson } = startJsonRelay({ resumeMs: 1234, limits: { maxMessageBytes: 999 } });
    expect(connectJson().frames).toEqual([
      {
        type: "welcome",
        id: "1",
        resumeToken: expect.stringMatching(/^[0-9a-f]{64}$/),
        resumed: false,
        recovered: true,
        heartbeatMs: BEAT_MS,
        resumeMs: 1234,
        limits: { maxMessageBytes: 999, maxUnackedSends: 256 },
      },
    ]);
  });

  test("gets its welcome even if its backlog is full", () => {
    const { connectJson } = startJsonRelay({ limits: { maxBufferedBytes: 1 } });
    expect(connectJson().welcome.id).toBe("1");
  });

  test("is pinged at least once a beat, in silence and while it talks", () => {
    const { connectJson, turn } = startJsonRelay();
    const client = connectJson();
    for (let beats = 1; beats <= 12; beats++) {
      for (let tenths = 0; tenths < 10; tenths++) {
        passBeats(0.1);
        if (beats % 4 !== 0) client.asks({ type: "pong" });
      }
      turn.end();
      const pings = client.heard.filter((frame) => frame === '{"type":"ping"}');
      expect(pings.length).toBeGreaterThanOrEqual(beats);
    }
  });

  test("is kept by a pong, which is answered by nothing, and by a ping, which is answered by a pong", () => {
    const { connectJson } = startJsonRelay();
    const client = connectJson();
    client.asks({ type: "pong" });
    client.asks({ type: "ping" });
    expect(client.frames.slice(1)).toEqual([{ type: "pong" }]);
    for (let times = 0; times < 5; times++) {
      passBeats(3.7);
      client.asks({ type: times % 2 === 0 ? "pong" : "ping" });
    }
    expect(client.did).not.toContain("terminate");
  });
});

test("a client of relay.v1.text gets its id first, and no ping lines", () => {
  const { connect, turn } = startJsonRelay();
  const client = connect({ protocol: text });
  passBeats(3);
  turn.end();
  expect(client.heard).toEqual([":welcome 1"]);
});
