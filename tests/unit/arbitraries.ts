import fc from "fast-check";
import type { Payload } from "../../src/core/protocol/frame.ts";
import type { ClientFrame } from "../../src/core/protocol/json-frames.ts";
import { FOREIGN } from "../foreign.ts";

const utf8 = new TextEncoder();

export const anyId = fc.string({ unit: fc.constantFrom(..."ABCXYZabcxyz0123456789._~-"), minLength: 1, maxLength: 64 });
/** Every well-formed text: UTF-8 has no other. */
export const anyText = fc.string({ unit: "binary", maxLength: 100 });
export const anyBytes = fc.uint8Array({ maxLength: 100 });
/** Any JSON value as a client may write it; `-0` reads back as `0`. */
export const anyJson = fc.jsonValue({ maxDepth: 4 }).map((value): unknown => JSON.parse(JSON.stringify(value)));
export const anyBase64 = anyBytes.map((bytes) => Buffer.from(bytes).toString("base64"));

const ackId = fc.option(fc.maxSafeNat(), { nil: undefined });

/** Valid frames of relay.v1.json with these addresses. */
export function jsonFrameTo(address: fc.Arbitrary<string>): fc.Arbitrary<ClientFrame> {
  const content = fc.oneof(
    fc.record({ data: anyJson }),
    fc.record({ data: anyBase64, encoding: fc.constant("base64" as const) }),
  );
  const sendFields = fc.record({ type: fc.constant("send" as const), to: address, ackId });
  const echo = fc.option(fc.boolean(), { nil: undefined });
  const publishFields = fc.record({ type: fc.constant("publish" as const), room: address, echo, ackId });
  return fc.oneof(
    fc.tuple(sendFields, content).map(([fields, rest]) => ({ ...fields, ...rest })),
    fc.tuple(publishFields, content).map(([fields, rest]) => ({ ...fields, ...rest })),
    fc.record({ type: fc.constantFrom("join" as const, "leave" as const, "members" as const), room: address, ackId }),
    fc.record({ type: fc.constantFrom("watch" as const, "unwatch" as const), id: address, ackId }),
    fc.record({ type: fc.constant("sequenceAck" as const), sequenceId: fc.maxSafeNat() }),
    fc.record({ type: fc.constantFrom("ping" as const, "pong" as const) }),
  );
}

/** Lines of relay.v1.text with these addresses. */
export function textLineTo(address: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const command = fc.constantFrom(":join ", ":leave ", ":who ");
  return fc.oneof(
    fc.tuple(address, anyText).map(([to, words]) => `${to}:${words}`),
    fc.tuple(address, anyText).map(([room, words]) => `#${room}:${words}`),
    fc.tuple(command, address).map((parts) => parts.join("")),
    fc.constantFrom(":whoami", ":ping", ":who", ":join  ", ":", ":error x", "#:x"),
  );
}

/** Texts with some pieces dropped, and some foreign ones inserted. */
export function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    drop: fc.nat(8),
    put: fc.constantFrom(...FOREIGN),
  });
  return fc.tuple(texts, fc.array(change, { minLength: 1, maxLength: 4 })).map(([text, changes]) =>
    changes.reduce((present, { at, drop, put }) => {
      const start = Math.floor(at * present.length);
      const rest = drop === 0 ? present.slice(start) : present.slice(start + drop);
      return present.slice(0, start) + (drop % 2 === 0 ? put : "") + rest;
    }, text),
  );
}

/** Nested JSON, some of it deeper than the stack allows: its depth, its kind, and its text. */
export const NESTED_JSON = [10, 1000, 100_000].flatMap((depth): [number, string, string][] => [
  [depth, "arrays", `${"[".repeat(depth)}1${"]".repeat(depth)}`],
  [depth, "objects", `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`],
]);

/** The same texts, or their UTF-8. */
export function asPayload(texts: fc.Arbitrary<string>): fc.Arbitrary<Payload> {
  return fc.oneof(
    texts,
    texts.map((text) => utf8.encode(text)),
  );
}
