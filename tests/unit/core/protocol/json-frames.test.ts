import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ERROR_CODES, type SendError } from "../../../../src/core/protocol/errors.ts";
import { Frame, frameText } from "../../../../src/core/protocol/frame.ts";
import { json } from "../../../../src/core/protocol/json.ts";
import { clientFrame, relayFrame } from "../../../../src/core/protocol/json-frames.ts";
import { Message } from "../../../../src/core/protocol/message.ts";
import type { Outcome, RelayEvent } from "../../../../src/core/protocol/protocol.ts";
import { anyBytes, anyId, anyJson, anyText, jsonFrameTo } from "../../arbitraries.ts";
import { readRelayFrame } from "../../json-client.ts";

const protocolPage = readFileSync(new URL("../../../../docs/protocol.md", import.meta.url), "utf8");

/** Returns the JSON frames of the page's examples: `> ` marks those of a client, `< ` those of the relay. */
function examples(mark: ">" | "<"): string[] {
  const lines = protocolPage.split("\n").filter((line) => line.startsWith(`${mark} {`) && line.endsWith("}"));
  return lines.map((line) => line.slice(2));
}

describe("the examples of docs/protocol.md", () => {
  test("are some", () => {
    expect([examples(">").length >= 6, examples("<").length >= 8]).toEqual([true, true]);
  });

  test.each(examples(">"))("a client sends: %s", (text) => {
    expect(clientFrame.safeParse(JSON.parse(text)).success).toBe(true);
  });

  test.each(examples("<"))("the relay sends: %s", (text) => {
    expect(relayFrame.safeParse(JSON.parse(text)).success).toBe(true);
  });
});

test("every frame that docs/protocol.md lets a client send satisfies the schema, and is read as a command", () => {
  fc.assert(
    fc.property(jsonFrameTo(anyId), (frame) => {
      const text = JSON.stringify(frame);
      expect(clientFrame.safeParse(JSON.parse(text)).success).toBe(true);
      expect(json.decode(new Frame(text, false)).type).toBe(frame.type);
    }),
    { numRuns: 10_000 },
  );
});

describe("every frame of the relay satisfies the schema", () => {
  const error: fc.Arbitrary<SendError> = fc.record({
    code: fc.constantFrom(...ERROR_CODES),
    message: anyText,
    temporary: fc.boolean(),
    subject: fc.option(anyId, { nil: undefined }),
  });
  const ended: fc.Arbitrary<Outcome> = fc.oneof(
    fc.constantFrom<Outcome>({ outcome: "delivered" }, { outcome: "queued" }, { outcome: "done" }),
    fc.nat().map((recipients): Outcome => ({ outcome: "delivered", recipients })),
    fc.array(anyId).map((members): Outcome => ({ outcome: "done", members })),
    error.map((why): Outcome => ({ outcome: "failed", error: why })),
  );
  const repeated = fc
    .tuple(error, ended)
    .map(([why, original]): Outcome => ({ outcome: "failed", error: why, original }));
  const room = fc.option(anyId, { nil: undefined });
  const event: fc.Arbitrary<RelayEvent> = fc.oneof(
    fc.record({ type: fc.constant("ack" as const), ackId: fc.maxSafeNat(), outcome: fc.oneof(ended, repeated) }),
    fc.record({ type: fc.constant("error" as const), error }),
    fc.record({
      type: fc.constant("presence" as const),
      id: anyId,
      room,
      event: fc.constantFrom("joined" as const, "left" as const, "online" as const, "offline" as const),
    }),
    fc.record({ type: fc.constantFrom("ping" as const, "pong" as const) }),
    fc.record({ type: fc.constant("resumeToken" as const), resumeToken: fc.string() }),
    fc.record({
      type: fc.constant("welcome" as const),
      id: anyId,
      resumeToken: fc.string(),
      resumed: fc.boolean(),
      recovered: fc.boolean(),
      heartbeatMs: fc.nat(),
      resumeMs: fc.nat(),
      limits: fc.record({ maxMessageBytes: fc.nat(), maxUnackedSends: fc.nat() }),
    }),
  );

  test("its events", () => {
    fc.assert(
      fc.property(event, (told) => {
        const frame = json.encode(told);
        if (frame === undefined) throw new Error(`Has no words for ${told.type}`);
        expect(frame.binary).toBe(false);
        const read = readRelayFrame(frameText(frame));
        expect(read.type).toBe(told.type);
        expect(frameText(frame)).not.toContain("subject");
        if (told.type === "ack" && read.type === "ack") expect(read).toMatchObject(withoutSubjects(told.outcome));
      }),
      { numRuns: 3000 },
    );
  });

  test("messages of each kind", () => {
    const message = fc.oneof(
      anyText.map((text) => new Message(text, "text")),
      anyBytes.map((bytes) => new Message(bytes, "bytes")),
      anyJson.filter((value) => typeof value !== "string").map((value) => new Message(JSON.stringify(value), "json")),
    );
    fc.assert(
      fc.property(anyId, room, message, fc.nat(), (from, where, what, sequenceId) => {
        const numbered = json.encodeMessage(from, where, what).numbered(sequenceId);
        expect(readRelayFrame(frameText(numbered))).toMatchObject({ type: "message", from, sequenceId });
      }),
      { numRuns: 3000 },
    );
  });

  test("and events of the text protocol have no frame", () => {
    expect(json.encode({ type: "whoami", id: "7" })).toBeUndefined();
    expect(json.encode({ type: "members", room: "lobby", members: ["7"] })).toBeUndefined();
  });
});

/** Returns an outcome as an ack contains it: without the subject of an error, which only text clients get. */
function withoutSubjects(outcome: Outcome): object {
  return JSON.parse(JSON.stringify(outcome, (key, value: unknown) => (key === "subject" ? undefined : value)));
}
