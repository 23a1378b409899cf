import { describe, expect, test } from "vitest";
import { JSON_PROTOCOL } from "./json-client.ts";
import { type Answer, handshake, openTcp, type RawClient } from "./raw.ts";
import { runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedServer } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";

/** What is offered, and what is spoken from then on. */
const OFFERS: readonly (readonly [string, string | undefined])[] = [
  ["relay.v1.text", TEXT_PROTOCOL],
  ["relay.v1.json", JSON_PROTOCOL],
  ["relay.v1.json, relay.v1.text", JSON_PROTOCOL],
  ["relay.v1.text, relay.v1.json", TEXT_PROTOCOL],
  ["relay.v1.text,relay.v1.json", TEXT_PROTOCOL],
  ["relay.v1.json , relay.v1.text", JSON_PROTOCOL],
  ["chat, relay.v2.json, relay.v1.json", JSON_PROTOCOL],
  ["chat,relay.v1.text", TEXT_PROTOCOL],
  ["relay.v1.text, relay.v1.text", TEXT_PROTOCOL],
  ["chat", undefined],
  ["chat, relay.v2.json", undefined],
  ["chat,relay.v2.json", undefined],
  ["RELAY.V1.JSON", undefined],
  ["relay.v1", undefined],
  ["relay.v1.json.zip", undefined],
];

describe.each(runtimes)("the choice of a protocol on $name", (runtime) => {
  const server = sharedServer(runtime);

  test.each(OFFERS)("of the offers %j is %j, answered by its name and spoken", async (offers, protocol) => {
    const { raw, answer } = await offer(server(), { "Sec-WebSocket-Protocol": offers });
    expect(answer.status).toBe(101);
    expect(answer.headers.get("sec-websocket-protocol")).toBe(protocol);
    await expectToSpeak(raw, protocol);
  });

  test("of offers in two headers is the first that is spoken", async () => {
    const { raw, answer } = await offer(server(), {
      "Sec-WebSocket-Protocol": "chat, relay.v1.text",
      "sec-websocket-protocol": "relay.v1.json",
    });
    expect(answer.headers.get("sec-websocket-protocol")).toBe(TEXT_PROTOCOL);
    await expectToSpeak(raw, TEXT_PROTOCOL);
  });

  test("without an offer is plain", async () => {
    const { raw, answer } = await offer(server(), {});
    expect(answer.status).toBe(101);
    expect(answer.headers.has("sec-websocket-protocol")).toBe(false);
    await expectToSpeak(raw, undefined);
  });

  test("at /echo is none, whatever is offered", async () => {
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

/** The first frame that comes is its welcome, or, where it has none, the answer to the client's first frame. */
async function expectToSpeak(raw: RawClient, protocol: string | undefined): Promise<void> {
  raw.text("no frame of any protocol");
  const first = String(await raw.next());
  if (protocol === JSON_PROTOCOL) expect(JSON.parse(first)).toMatchObject({ type: "welcome" });
  else if (protocol === TEXT_PROTOCOL) expect(first).toMatch(/^:welcome \d+$/);
  else expect(first).toMatch(/^:error bad_frame /);
  raw.sendClose();
}
