import { describe, expect, test } from "vitest";
import { JSON_BYTES_PROTOCOL, JSON_PROTOCOL } from "./json-client.ts";
import { type Answer, handshake, openTcp, type RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";

/** Offered subprotocols, each with the one that the relay chooses; `undefined` for plain. */
const OFFERS: readonly (readonly [string, string | undefined])[] = [
  ["relay.v1.text", TEXT_PROTOCOL],
  ["relay.v1.json", JSON_PROTOCOL],
  ["relay.v1.json, relay.v1.text", JSON_PROTOCOL],
  ["relay.v1.text, relay.v1.json", TEXT_PROTOCOL],
  ["relay.v1.text,relay.v1.json", TEXT_PROTOCOL],
  ["relay.v1.json , relay.v1.text", JSON_PROTOCOL],
  ["chat, relay.v2.json, relay.v1.json", JSON_PROTOCOL],
  ["relay.v1.json-bytes, relay.v1.json", JSON_BYTES_PROTOCOL],
  ["relay.v1.json, relay.v1.json-bytes", JSON_PROTOCOL],
  ["chat,relay.v1.text", TEXT_PROTOCOL],
  ["relay.v1.text, relay.v1.text", TEXT_PROTOCOL],
  ["chat", undefined],
  ["chat, relay.v2.json", undefined],
  ["chat,relay.v2.json", undefined],
  ["RELAY.V1.JSON", undefined],
  ["relay.v1", undefined],
  ["relay.v1.json.zip", undefined],
];

describe.each(runtimes)("the negotiation of a subprotocol on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(OFFERS)("turns the offer %j into %j, in the answer and in the frames", async (offers, protocol) => {
    const { raw, answer } = await offer(server(), { "Sec-WebSocket-Protocol": offers });
    expect(answer.status).toBe(101);
    expect(answer.headers.get("sec-websocket-protocol")).toBe(protocol);
    await expectProtocol(raw, protocol);
  });

  test("chooses the first offer that the relay speaks, from two headers", async () => {
    const { raw, answer } = await offer(server(), {
      "Sec-WebSocket-Protocol": "chat, relay.v1.text",
      "sec-websocket-protocol": "relay.v1.json",
    });
    expect(answer.headers.get("sec-websocket-protocol")).toBe(TEXT_PROTOCOL);
    await expectProtocol(raw, TEXT_PROTOCOL);
  });

  test("chooses plain without an offer", async () => {
    const { raw, answer } = await offer(server(), {});
    expect(answer.status).toBe(101);
    expect(answer.headers.has("sec-websocket-protocol")).toBe(false);
    await expectProtocol(raw, undefined);
  });

  test("chooses no subprotocol at /echo", async () => {
    const { raw, answer } = await offer(server(), { "Sec-WebSocket-Protocol": "relay.v1.json" }, "/echo");
    expect(answer.status).toBe(101);
    expect(answer.headers.has("sec-websocket-protocol")).toBe(false);
    raw.text("hello");
    await expect(raw.next()).resolves.toBe("res:hello");
  });
});

async function offer(
  server: Server,
  headers: Readonly<Record<string, string>>,
  path = "/ws",
): Promise<{ readonly raw: RawClient; readonly answer: Answer }> {
  const raw = await openTcp(server.port);
  raw.write(handshake({ path, headers }));
  return { raw, answer: await raw.answer() };
}

/**
 * Checks the protocol by the first frame that the client receives: the protocol's welcome, or in plain, which has no
 * welcome, the answer to an invalid frame.
 */
async function expectProtocol(raw: RawClient, protocol: string | undefined): Promise<void> {
  raw.text("no frame of any protocol");
  const first = String(await raw.next());
  if (protocol === JSON_PROTOCOL || protocol === JSON_BYTES_PROTOCOL)
    expect(JSON.parse(first)).toMatchObject({ type: "welcome" });
  else if (protocol === TEXT_PROTOCOL) expect(first).toMatch(/^:welcome \d+$/);
  else expect(first).toMatch(/^:error bad_frame /);
  raw.sendClose();
}
