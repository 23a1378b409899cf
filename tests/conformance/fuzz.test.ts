import { describe, expect, test } from "vitest";
import { chooseSeed, Random } from "../chaos/random.ts";
import { openClient } from "./client.ts";
import type { WireFrame } from "./frames.ts";
import { Fuzz, type Subprotocol } from "./fuzz.ts";
import { JSON_BYTES_PROTOCOL, JSON_PROTOCOL, openJson } from "./json-client.ts";
import { handshake, openTcp, type RawClient } from "./raw.ts";
import { type Runtime, runtimes } from "./runtimes.ts";
import type { Server } from "./server.ts";
import { sharedApp } from "./subject.ts";
import { TEXT_PROTOCOL } from "./text-client.ts";

const FRAMES = 3000;
const FUZZERS_PER_PROTOCOL = 6;
const MAX_BURST = 100;
const PROTOCOLS: readonly Subprotocol[] = [undefined, TEXT_PROTOCOL, JSON_PROTOCOL, JSON_BYTES_PROTOCOL];
/** The protocol of each fuzzer. */
const FUZZERS = PROTOCOLS.flatMap((protocol) => Array.from({ length: FUZZERS_PER_PROTOCOL }, () => protocol));
/** Ids of fuzzers, which are the names of rooms too. */
const ADDRESSES = FUZZERS.map((_, index) => `fuzzer-${index}`);

/** Returns an address at the app (apps/), whose clients choose their ids: no damaged id is a bystander's. */
const address = (app: Server, name: string): string => `ws://127.0.0.1:${app.port}/relay/ws?name=${name}`;

async function openFuzzer(app: Server, name: string, protocol: Subprotocol): Promise<RawClient> {
  const raw = await openTcp(app.port);
  const headers = protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol };
  raw.write(handshake({ path: `/relay/ws?name=${name}`, headers }));
  const { status } = await raw.answer();
  if (status !== 101) throw new Error(`The handshake of ${name} was answered with ${status}`);
  return raw;
}

/** Sends to an id that nobody has, and waits for the error. @throws {Error} When the connection has ended. */
async function expectConnected(raw: RawClient, protocol: Subprotocol, marker: string): Promise<void> {
  const isJson = protocol === JSON_PROTOCOL || protocol === JSON_BYTES_PROTOCOL;
  raw.text(isJson ? `{"type":"send","to":"${marker}","data":1}` : `${marker}:x`);
  while (!String(await raw.next()).includes(marker));
}

/** Checks that the app still answers. It may not have read all earlier frames by then. */
async function expectAnswer(app: Server): Promise<void> {
  expect(await (await fetch(app.url("/"))).text()).toBe("somebody's app");
}

/** Sends the frames of one fuzzer, over one connection after the other. */
async function fuzz(app: Server, runtime: Runtime, index: number, seed: number): Promise<void> {
  const protocol = FUZZERS[index];
  const random = new Random(seed + index);
  const name = `fuzzer-${index}`;
  const source = new Fuzz(random, protocol, [name, ...ADDRESSES, "nobody", "lobby", "", "a b", "x".repeat(65)]);
  let framesLeft = FRAMES / FUZZERS_PER_PROTOCOL;
  while (framesLeft > 0) {
    const raw = await openFuzzer(app, name, protocol);
    for (let bursts = random.below(8); bursts >= 0 && framesLeft > 0; bursts--) {
      const frames: WireFrame[] = [];
      const count = random.spread(1, MAX_BURST);
      while (frames.length < count) frames.push(...source.harmless());
      raw.send(...frames);
      framesLeft -= frames.length;
      await expectConnected(raw, protocol, `marker-${index}-${framesLeft}`);
    }
    const isNoise = random.below(3) === 0;
    if (isNoise) raw.write(source.noise());
    else raw.send(...source.violation());
    // Noise may be the start of a long frame, so that the relay waits for the rest.
    if (isNoise || runtime.exceptions.laxProtocol !== undefined) await expectAnswer(app);
    else await raw.closeCode();
    raw.reset();
  }
}

describe.each(runtimes)("random input on $name", (runtime) => {
  const app = sharedApp(runtime);

  test(`in ${FRAMES} frames of each protocol reaches no bystander, and ends only its sender's connection`, async () => {
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
    const bytes = await openJson(address(app(), "bystander-bytes"), JSON_BYTES_PROTOCOL);
    expect(await bytes.ask({ type: "watch", id: plain.id })).toEqual({ outcome: "done" });
    expect(await bytes.next()).toMatchObject({ type: "presence", event: "online" });

    const seed = chooseSeed(process.env.FUZZ_SEED);
    try {
      await Promise.all(FUZZERS.map((_, index) => fuzz(app(), runtime, index, seed)));
      for (const bystander of [plain, text, json, bytes]) await expect(bystander).toStaySilent();
      expect(app().process.stderr).not.toContain('"failed"');
      app().process.expectAlive();
    } catch (error) {
      throw new Error(`With FUZZ_SEED=${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  });
});
