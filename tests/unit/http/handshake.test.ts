import { describe, expect, test } from "vitest";
import { checkHandshake } from "../../../src/http/handshake.ts";

const GOOD = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

function check(headers: Readonly<Record<string, string | undefined>> = {}, method = "GET") {
  const request = new Request("http://localhost/ws", { method });
  for (const [name, value] of Object.entries({ ...GOOD, ...headers })) {
    if (value !== undefined) request.headers.set(name, value);
  }
  return checkHandshake({ method, header: (name) => request.headers.get(name) ?? undefined });
}

describe("a handshake according to RFC 6455", () => {
  test("is not refused", () => {
    expect(check()).toBeUndefined();
  });

  test.each(["WebSocket", "WEBSOCKET"])("may have the upgrade %s", (upgrade) => {
    expect(check({ Upgrade: upgrade })).toBeUndefined();
  });

  test.each(["upgrade", "keep-alive, Upgrade"])("may have the connection %j", (connection) => {
    expect(check({ Connection: connection })).toBeUndefined();
  });

  test.each(["chat", "relay.v1.json, relay.v1.text", "chat,superchat"])("may offer the subprotocols %j", (offered) => {
    expect(check({ "Sec-WebSocket-Protocol": offered })).toBeUndefined();
  });
});

describe("a handshake is refused", () => {
  test.each(["POST", "HEAD", "PUT", "OPTIONS"])("with 405 for %s, and the sentence names GET", (method) => {
    expect(check({}, method)).toMatchObject({ status: 405, code: "method_not_allowed", headers: { Allow: "GET" } });
  });

  test.each([
    { Upgrade: undefined, Connection: undefined },
    { Upgrade: "h2c" },
    { Connection: undefined },
    { Connection: "keep-alive" },
  ])("with 426 and the headers that a proxy must pass on, for %o", (headers) => {
    expect(check(headers)).toMatchObject({
      status: 426,
      code: "upgrade_required",
      message: expect.stringContaining("proxy"),
      headers: { Upgrade: "websocket" },
    });
  });

  test.each([undefined, "8", "14", "13, 8"])("with 426 and the supported version, for version %s", (version) => {
    expect(check({ "Sec-WebSocket-Version": version })).toMatchObject({
      status: 426,
      headers: { "Sec-WebSocket-Version": "13" },
    });
  });

  test.each([
    undefined,
    "short",
    "dGhlIHNhbXBsZSBub25jZQ",
    `${GOOD["Sec-WebSocket-Key"]}=`,
    "dGhl IHNhbXBsZSBub25jZ==",
  ])("with 400 for the key %j", (key) => {
    expect(check({ "Sec-WebSocket-Key": key })).toMatchObject({ status: 400, code: "bad_handshake" });
  });

  test.each(["a,,b", "a b", "", "a;b", ","])("with 400 for the subprotocols %j", (offered) => {
    expect(check({ "Sec-WebSocket-Protocol": offered })).toMatchObject({ status: 400, code: "bad_handshake" });
  });
});
