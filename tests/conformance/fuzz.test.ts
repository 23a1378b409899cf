import { describe, expect, test } from "vitest";
import { chooseSeed, Random } from "../chaos/random.ts";
import { openClient } from "./client.ts";
import type { WireFrame } from "./frames.ts";
import { Fuzz, type Subprotocol } from "./fuzz.ts";
import { JSON_PROTOCOL, openJson } from "./json-client.ts";
import { handshake, openTcp, type RawClient } from "./raw.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedApp } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";

const FRAMES = 3000;
const CONNECTIONS = 6;
const MOST_AT_ONCE = 100;
const PROTOCOLS: readonly Subprotocol[] = [undefined, TEXT_PROTOCOL, JSON_PROTOCOL];
const FUZZERS = PROTOCOLS.flatMap((protocol) => Array.from({ length: CONNECTIONS }, () => protocol));
/** Ids that fuzzers have or had, and names of rooms; whom else they write to is nobody. */
const ADDRESSES = FUZZERS.map((_, index) => `fuzzer-${index}`);

/** The app (apps/) gives its clients names for ids: so no damage to an address makes it a bystander's. */
const address = (app: Server, name: string): string => `ws://127.0.0.1:${app.port}/relay/ws?name=${name}`;

async function openFuzzer(app: Server, name: string, protocol: Subprotocol): Promise<RawClient> {
  const raw = await openTcp(app.port);
  const headers = protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol };
  raw.write(handshake({ path: `/relay/ws?name=${name}`, headers }));
  const { status } = await raw.answer();
  if (status !== 101) throw new Error(`The handshake of ${name} was answered with ${status}`);
  return raw;
}

/** Asks for an answer that no other has, and waits for it. @throws {Error} When the connection has ended. */
async function expectConnected(raw: RawClient, protocol: Subprotocol, marker: string): Promise<void> {
  raw.text(protocol === JSON_PROTOCOL ? `{"type":"send","to":"${marker}","data":1}` : `${marker}:x`);
  while (!String(await raw.next()).includes(marker));
}

/** Has the app answered, after what it was sent before? It may have read that later; it has lived until then. */
async function expectAnswer(app: Server): Promise<void> {
  expect(await (await fetch(app.url("/"))).text()).toBe("somebody's app");
}

/** One fuzzer sends its frames, over one connection after the other. */
async function fuzz(app: Server, runtime: Runtime, index: number, seed: number): Promise<void> {
  const protocol = FUZZERS[index];
  const random = new Random(seed + index);
  const name = `fuzzer-${index}`;
  const source = new Fuzz(random, protocol, [name, ...ADDRESSES, "nobody", "lobby", "", "a b", "x".repeat(65)]);
  let left = FRAMES / CONNECTIONS;
  while (left > 0) {
    const raw = await openFuzzer(app, name, protocol);
    for (let bursts = random.below(8); bursts >= 0 && left > 0; bursts--) {
      const frames: WireFrame[] = [];
      const count = random.spread(1, MOST_AT_ONCE);
      while (frames.length < count) frames.push(...source.harmless());
      raw.send(...frames);
      left -= frames.length;
      await expectConnected(raw, protocol, `marker-${index}-${left}`);
    }
    const isNoise = random.below(3) === 0;
    if (isNoise) raw.write(source.noise());
    else raw.send(...source.violation());
    // Noise may be the beginning of a long frame.
    if (isNoise || runtime.exceptions.laxProtocol !== undefined) await expectAnswer(app);
    else await raw.closeCode();
    raw.reset();
  }
}

describe.each(runtimes)("whatever clients send on $name", (runtime) => {
  const app = sharedApp(runtime);

  test(`${FRAMES} frames of each protocol, good ones and bad, reach no bystander and end nobody but their sender`, async () => {
    const plain = await openClient(address(app(), "bystander-plain"));
    plain.id = "bystander-plain";
    const text = await openClient(address(app(), "bystander-text"), [TEXT_PROTOCOL]);
    text.id = "bystander-text";
    expect(await text.next()).toBe(":welcome bystander-text");
    text.send(":join quiet-room");
    expect(await text.next()).toBe(":joined bystander-text quiet-room");
    const json = await openJson(address(app(), "bystander-json"));
    expect(await json.ask({ type: "join", room: "quiet-room" })).toEqual({ outcome: "done" });
    expect(await text.next()).toBe(":joined bystander-json quiet-room");
    expect(await json.ask({ type: "watch", id: plain.id })).toEqual({ outcome: "done" });
    expect(await json.next()).toMatchObject({ type: "presence", event: "online" });

    const seed = chooseSeed(process.env.FUZZ_SEED);
    try {
      await Promise.all(FUZZERS.map((_, index) => fuzz(app(), runtime, index, seed)));
      for (const bystander of [plain, text, json]) await expect(bystander).toStaySilent();
      expect(app().process.stderr).not.toContain('"failed"');
      app().process.expectAlive();
    } catch (error) {
      throw new Error(`With FUZZ_SEED=${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  });
});
