import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { json } from "../../../../src/core/protocol/json.ts";
import { jsonBytes } from "../../../../src/core/protocol/json-bytes.ts";
import { negotiate } from "../../../../src/core/protocol/negotiate.ts";
import { plain, plainFrom } from "../../../../src/core/protocol/plain.ts";
import { text } from "../../../../src/core/protocol/text.ts";

describe("among the subprotocols that a client offers", () => {
  test.each([
    ["relay.v1.json", json],
    ["relay.v1.text", text],
    ["relay.v1.text, relay.v1.json", text],
    ["relay.v1.json,relay.v1.text", json],
    ["relay.v1.json-bytes, relay.v1.json", jsonBytes],
    ["relay.v1.json, relay.v1.json-bytes", json],
    ["chat, relay.v1.json", json],
    [" \t relay.v1.text \t ", text],
  ])("%j, the first that is spoken is taken, whether or not the sender is to be named", (offers, protocol) => {
    expect(negotiate(offers, false)).toBe(protocol);
    expect(negotiate(offers, true)).toBe(protocol);
  });

  test.each([
    undefined,
    null,
    "",
    "chat",
    "relay.v1",
    "relay.v2.json",
    "RELAY.V1.JSON",
    "relay.v1.json2",
    "relay.v1.json-",
    ",",
    "plain",
  ])("%j, none is spoken: the classic, which answers no name", (offers) => {
    expect(negotiate(offers, false)).toBe(plain);
    expect(negotiate(offers, true)).toBe(plainFrom);
    expect(negotiate(offers, false).name).toBeUndefined();
  });

  test("only a name that was offered is ever answered", () => {
    const offer = fc.oneof(
      fc.constantFrom("relay.v1.json", "relay.v1.json-bytes", "relay.v1.text", "chat"),
      fc.string({ maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(offer, { maxLength: 6 }), fc.boolean(), (offers, withSender) => {
        const { name } = negotiate(offers.join(", "), withSender);
        if (name !== undefined)
          expect(
            offers
              .join(",")
              .split(",")
              .map((each) => each.trim()),
          ).toContain(name);
      }),
      { numRuns: 1000 },
    );
  });
});
