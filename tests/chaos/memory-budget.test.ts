import { describe, expect, onTestFinished, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { chooseSeed, Random } from "./random.ts";
import { RandomClients } from "./random-clients.ts";

const BUDGET_BYTES = 16_777_216;
const MESSAGE_BYTES = 65_536;
/** Memory of one connection besides the budget (docs/reliability.md), without a message that is still arriving. */
const CONNECTION_BYTES = 65_536;
const SECONDS = Number(process.env.MEMORY_SECONDS ?? 4);
const PATIENCE_MS = 60_000;

describe.each(runtimes)("clients that connect, leave, send and acknowledge at random, on $name", (runtime) => {
  test(`never take the process over its memory bound, in ${SECONDS} s`, {
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
    const clients = new RandomClients(server, new Random(seed));
    onTestFinished(() => clients.reset());
    const boundBytes = (): number =>
      runtime.baseBytes + BUDGET_BYTES + clients.peakConnections * (CONNECTION_BYTES + MESSAGE_BYTES);
    let steps = 0;
    let peakBytes = 0;
    const end = performance.now() + SECONDS * 1000;
    while (performance.now() < end) {
      await clients.step();
      peakBytes = Math.max(peakBytes, server.process.rssBytes);
      expect(peakBytes, `after step ${++steps} of seed ${seed}`).toBeLessThan(boundBytes());
    }
    const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
    const memory = `${megabytes(before)} MB before, peak ${megabytes(peakBytes)} of ${megabytes(boundBytes())} MB`;
    console.log(`on ${runtime.name}: ${steps} steps, ${memory}, seed ${seed}`);
    clients.reset();
    await server.relayOne();
  });
});
