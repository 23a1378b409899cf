import { describe, expect, onTestFinished, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { chooseSeed, Random } from "./random.ts";
import { Wanderers } from "./wanderers.ts";

const BUDGET_BYTES = 16_777_216;
const MESSAGE_BYTES = 65_536;
/** The line of docs/reliability.md: what each connection may add to the budget, besides a message that is still arriving. */
const CONNECTION_BYTES = 65_536;
const SECONDS = Number(process.env.MEMORY_SECONDS ?? 4);
const PATIENCE_MS = 60_000;

describe.each(runtimes)("clients that come, go, send and acknowledge at random, on $name", (runtime) => {
  test(`for ${SECONDS} s, never take the process over its line`, {
    timeout: SECONDS * 1000 + PATIENCE_MS,
  }, async () => {
    const server = await ownServer(runtime, {
      env: {
        RELAY_LOG: "warning",
        RELAY_MAX_TOTAL_BUFFERED_BYTES: String(BUDGET_BYTES),
        RELAY_MAX_MESSAGE_BYTES: String(MESSAGE_BYTES),
        RELAY_RESUME_MS: "60000",
      },
    });
    const seed = chooseSeed(process.env.CHAOS_SEED);
    const before = server.process.rssBytes;
    const wanderers = new Wanderers(server, new Random(seed));
    onTestFinished(() => wanderers.end());
    const line = (): number =>
      runtime.baseBytes + BUDGET_BYTES + wanderers.peakConnections * (CONNECTION_BYTES + MESSAGE_BYTES);
    let steps = 0;
    let peakBytes = 0;
    const end = performance.now() + SECONDS * 1000;
    while (performance.now() < end) {
      await wanderers.step();
      peakBytes = Math.max(peakBytes, server.process.rssBytes);
      expect(peakBytes, `after step ${++steps} of seed ${seed}`).toBeLessThan(line());
    }
    const mega = (bytes: number): number => Math.round(bytes / 1e6);
    console.log(
      `on ${runtime.name}: ${steps} steps, ${mega(before)} MB before, peak ${mega(peakBytes)} of ${mega(line())} MB, seed ${seed}`,
    );
    wanderers.end();
    await server.relayOne();
  });
});
