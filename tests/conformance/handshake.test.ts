import { describe, expect, test } from "vitest";
import { type HandshakeOptions, handshake, openTcp } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import { sharedServer } from "./subject.ts";

/** Unusual but valid handshakes. */
const GOOD: readonly (readonly [string, HandshakeOptions])[] = [
  ["Upgrade in mixed case", { headers: { Upgrade: "WebSocket" } }],
  ["Connection with more than Upgrade", { headers: { Connection: "keep-alive, Upgrade" } }],
  ["Connection in capitals", { headers: { Connection: "UPGRADE" } }],
  ["header names in mixed case", { headers: { "Sec-WebSocket-Version": undefined, "sec-websocket-VERSION": "13" } }],
  ["a subprotocol that the relay does not speak", { headers: { "Sec-WebSocket-Protocol": "chat" } }],
  ["several subprotocols", { headers: { "Sec-WebSocket-Protocol": "x, y" } }],
  ["several subprotocols without a space", { headers: { "Sec-WebSocket-Protocol": "x,y,relay.v9" } }],
  ["a Host in capitals, with a port", { headers: { Host: "RELAY.Example.ORG:8080" } }],
  ["an extension", { headers: { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" } }],
];

/** Handshakes that a server must refuse (RFC 6455 §4.2.1), each with the status and the code of the answer. */
const BAD: readonly (readonly [string, HandshakeOptions, number, string])[] = [
  ["no key", { headers: { "Sec-WebSocket-Key": undefined } }, 400, "bad_handshake"],
  ["a key that is not base64", { headers: { "Sec-WebSocket-Key": "not base64 at all, not" } }, 400, "bad_handshake"],
  ["a key of the wrong length", { headers: { "Sec-WebSocket-Key": "dGhlIHNhbXBsZQ==" } }, 400, "bad_handshake"],
  ["no version", { headers: { "Sec-WebSocket-Version": undefined } }, 426, "bad_handshake"],
  ["no Connection: Upgrade", { headers: { Connection: "keep-alive" } }, 426, "upgrade_required"],
  ["an old version", { headers: { "Sec-WebSocket-Version": "8" } }, 426, "bad_handshake"],
  ["a version that is no number", { headers: { "Sec-WebSocket-Version": "latest" } }, 426, "bad_handshake"],
  ["the method POST", { method: "POST", headers: { "Content-Length": "0" } }, 405, "method_not_allowed"],
  ["a subprotocol with a space inside", { headers: { "Sec-WebSocket-Protocol": "x y" } }, 400, "bad_handshake"],
  ["an empty subprotocol among others", { headers: { "Sec-WebSocket-Protocol": "x,,y" } }, 400, "bad_handshake"],
  ["a path that has no route", { path: "/nowhere" }, 404, "not_found"],
];

/** Addresses that crash a process with node-ws 1.3.1. */
const ADDRESSES = ["//", "http://[", "http://a:b@h/", "/%", "/\\..\\", "*", "http://"];

describe.each(runtimes)("the opening handshake on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(GOOD)("is accepted with %s, and agrees to no subprotocol and no extension", async (_name, options) => {
    const raw = await openTcp(server().port);
    raw.write(handshake(options));
    const { status, headers } = await raw.answer();
    expect(status).toBe(101);
    expect(headers.get("sec-websocket-accept")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    expect(headers.has("sec-websocket-protocol")).toBe(false);
    expect(headers.has("sec-websocket-extensions")).toBe(false);
  });

  test("is accepted at /echo with unknown subprotocols", async () => {
    const raw = await server().openRaw({ path: "/echo", headers: { "Sec-WebSocket-Protocol": "x, y" } });
    raw.text("hello");
    await expect(raw.next()).resolves.toBe("res:hello");
  });

  test.each(BAD)("is refused for %s, with a status, headers, a code and a sentence", async (...row) => {
    const [, options, status, code] = row;
    const raw = await openTcp(server().port);
    raw.write(handshake(options));
    const answer = await raw.answer();
    if (options.method === "POST" && runtime.exceptions.refusesMethodItself !== undefined) {
      expect(answer.status).toBe(400);
      return;
    }
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toContain("application/json");
    const error = { code, message: expect.stringMatching(/^Cannot /) };
    expect(JSON.parse(await raw.body(answer))).toEqual({ error });
    await server().relayOne();
  });

  test("with a wrong version is answered with the right one", async () => {
    const raw = await openTcp(server().port);
    raw.write(handshake({ headers: { "Sec-WebSocket-Version": "8" } }));
    expect((await raw.answer()).headers.get("sec-websocket-version")).toBe("13");
  });

  test.each(ADDRESSES)("is refused for the address %j, which does not end the process", async (path) => {
    const raw = await openTcp(server().port);
    raw.write(handshake({ path }));
    // The status depends on how the runtime parses an address.
    expect([400, 404]).toContain((await raw.answer()).status);
    await server().relayOne();
  });

  test.each([
    ["garbage", "\u0000\u0001garbage\r\n\r\n"],
    ["TLS", Buffer.from("1603010200010001fc0303", "hex")],
    ["a header of 100 kB", `GET /ws HTTP/1.1\r\nX: ${"x".repeat(100_000)}\r\n\r\n`],
  ])("that is %s ends its own connection and no other", async (_name, bytes) => {
    const raw = await openTcp(server().port);
    raw.write(bytes);
    const status = await Promise.race([raw.answer().then(({ status }) => status), raw.gone]);
    if (status !== undefined) expect([400, 431]).toContain(status);
    await server().relayOne();
  });

  test("that is reset while the upgrade is under way ends its own connection and no other", async () => {
    for (const path of ["/ws", "/echo", "/nowhere"]) {
      for (let count = 0; count < 20; count++) {
        const raw = await openTcp(server().port);
        raw.write(handshake({ path }));
        // Half of the resets come after the answer, the others while the server may still be at work.
        if (count % 2 === 0) await raw.answer();
        raw.reset();
        await raw.gone;
      }
    }
    await server().relayOne();
  });
});
