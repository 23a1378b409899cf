import { describe, expect, test } from "vitest";
import { Relay } from "../../../src/core/relay.ts";
import { createApp } from "../../../src/http/app.ts";
import { createJwtAuthorize } from "../../../src/http/jwt.ts";
import { createBunRelay } from "../../../src/runtime/bun/relay.ts";
import { createDenoRelay } from "../../../src/runtime/deno/relay.ts";
import { createNodeRelay } from "../../../src/runtime/node/relay.ts";

/** Options as JavaScript may pass them, unchecked by TypeScript. */
function loose(options: unknown): never {
  return options as never;
}

const MAKERS: readonly (readonly [string, (options: object) => unknown])[] = [
  ["Relay", (options) => new Relay(loose(options))],
  ["createNodeRelay", (options) => createNodeRelay(loose(options))],
  ["createBunRelay", (options) => createBunRelay(loose(options))],
  ["createDenoRelay", (options) => createDenoRelay(loose(options))],
];

describe.each(MAKERS)("%s", (_name, make) => {
  test.each([
    [{ onOpen() {} }, 'there is no option "onOpen": it belongs in "hooks"'],
    [{ maxConnections: 3 }, 'there is no option "maxConnections": it belongs in "limits"'],
    [{ limits: { heartbeatMs: 3 } }, '"limits" has no "heartbeatMs": it belongs among the options themselves'],
    [{ limits: { maxConections: 3 } }, '"limits" has no "maxConections"'],
    [{ hooks: { onClosed() {} } }, '"hooks" has no "onClosed"'],
    [{ hooks: { maxConnections: 3 } }, '"hooks" has no "maxConnections": it belongs in "limits"'],
    [{ toString: undefined }, 'there is no option "toString"'],
  ])("refuses %j, and says where it belongs", (options, reason) => {
    expect(() => make(options)).toThrow(new TypeError(`Cannot make a relay: ${reason}`));
  });

  test.each([
    [{ observer: { fail() {} } }, '"observer" has no "fail"'],
    [{ ids: "uuid" }, 'ids is "uuid", expected "sequential" or "random"'],
    [{ ids: 7 }, 'ids is a number, expected "sequential" or "random"'],
    [{ heartbeatMs: "5" }, "heartbeatMs is a string, expected a number"],
    [{ limits: { maxConnections: "5" } }, "maxConnections is a string, expected a number"],
    [{ limits: null }, "limits is null, expected an object"],
    [{ hooks: { onOpen: "x" } }, "onOpen is a string, expected a function"],
  ])("refuses %j, and says what is expected", (options, reason) => {
    expect(() => make(options)).toThrow(new TypeError(`Cannot make a relay: ${reason}`));
  });

  test.each([
    [{ heartbeatMs: 0 }, "heartbeatMs is 0"],
    [{ heartbeatMs: Number.POSITIVE_INFINITY }, "heartbeatMs is Infinity"],
    [{ heartbeatMisses: 0 }, "heartbeatMisses is 0"],
    [{ resumeMs: -1 }, "resumeMs is -1"],
    [{ resumeMs: 2 ** 31 }, "resumeMs is 2147483648"],
    [{ closeTimeoutMs: Number.NaN }, "closeTimeoutMs is NaN"],
    [{ limits: { maxConnections: 0 } }, "maxConnections is 0"],
  ])("refuses a number outside its range by the option's name: %j", (options, reason) => {
    expect(() => make(options)).toThrow(new RangeError(`Cannot make a relay: ${reason}`));
  });

  test("takes hooks and an observer that are instances of a class with fields of their own", () => {
    class Own {
      database = {};
      onOpen(): void {}
    }
    expect(() => make({ hooks: new Own(), observer: new Own(), limits: {}, closeTimeoutMs: undefined })).not.toThrow();
  });
});

test("the options of an entry are those of the relay and of its routes, without the signer", () => {
  const options = {
    heartbeatMs: 100,
    limits: { maxConnections: 3 },
    origins: "*",
    connectRate: 3,
    secret: "s".repeat(32),
  };
  expect(createNodeRelay(options).relay.limits.maxConnections).toBe(3);
  expect(() => createNodeRelay(loose({ signer: { sign: String } }))).toThrow('no option "signer"');
});

test.each([
  [{ authorize: "x" }, new TypeError("Cannot make a relay: authorize is a string, expected a function")],
  [{ secret: 7 }, new TypeError("Cannot make a relay: secret is a number, expected a string")],
  [{ secret: "" }, new RangeError("Cannot make a relay: the secret is 0 bytes, at least 32 are needed")],
  [{ secret: "hunter2" }, new RangeError("Cannot make a relay: the secret is 7 bytes, at least 32 are needed")],
  [{ connectRate: 0 }, new RangeError("Cannot make a relay: connectRate is 0")],
  [null, new TypeError("Cannot make a relay: the options are null")],
  ["x", new TypeError("Cannot make a relay: the options are a string")],
])("an entry refuses %j for its routes", (options, error) => {
  expect(() => createNodeRelay(loose(options))).toThrow(error);
});

test("createApp refuses an option that its routes do not have", () => {
  const runtime = { upgradeWebSocket: () => new Response(), peerAddress: () => undefined };
  const make = () => createApp(new Relay(), runtime, loose({ heartbeatMs: 3 }));
  expect(make).toThrow(new TypeError('Cannot make the relay\'s routes: there is no option "heartbeatMs"'));
});

test("createJwtAuthorize refuses an option that it does not have", () => {
  const make = () => createJwtAuthorize(loose({ secret: "x".repeat(32), audiance: "x" }));
  expect(make).toThrow(new TypeError('Cannot check tokens: there is no option "audiance"'));
});
