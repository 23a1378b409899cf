import { describe, expect, onTestFinished, test } from "vitest";
import { runtimes } from "../conformance/runtimes.ts";
import { ownServer } from "../conformance/subject.ts";
import { describeLatencies, GoodPairs } from "./good-pairs.ts";
import { startLoadProcess } from "./load-process.ts";
import { chooseSeed } from "./random.ts";

const SECONDS = Number(process.env.BUFFER_SECONDS ?? 5);
const RECEIVERS = Number(process.env.BUFFER_RECEIVERS ?? 2000);
const SENDERS = 100;
const MAX_BYTES = Number(process.env.BUFFER_BYTES ?? 268_435_456);
/** Memory besides the buffers: the process itself, 2,000 connections, and the garbage of 100 flooding senders. */
const OTHER_BYTES = 150_000_000;
/** The same where the runtime's own buffers grow without bound. Measured: 1.1 to 2.0 GB. */
const OTHER_BYTES_UNBOUNDED = 2_500_000_000;
const SAMPLE_MS = 100;
const PATIENCE_MS = 90_000;

describe.each(runtimes)("a flood of messages that nobody reads, on $name", (runtime) => {
  test(`keeps the process within its memory bound, and costs other clients no message, in ${SECONDS} s`, {
    timeout: SECONDS * 1000 + PATIENCE_MS,
  }, async () => {
    const server = await ownServer(runtime, {
      // The long beat keeps slow receivers connected, so that the bound of all buffers together has to hold.
      env: { RELAY_HEARTBEAT_MS: "60000", RELAY_MAX_TOTAL_BUFFERED_BYTES: String(MAX_BYTES), RELAY_LOG: "warning" },
    });
    const seed = chooseSeed(process.env.CHAOS_SEED);
    let peakBytes = 0;
    const sampling = setInterval(() => {
      peakBytes = Math.max(peakBytes, server.process.rssBytes);
    }, SAMPLE_MS);
    onTestFinished(() => clearInterval(sampling));

    const pairs = await GoodPairs.open(server);
    onTestFinished(() => pairs.reset());
    const { id: lastId } = await server.connect();
    const firstId = Number(lastId) + 1;
    const flood = await startLoadProcess("unread-flood.ts", server.port, firstId, RECEIVERS, SENDERS, seed);
    const before = Math.round(server.process.rssBytes / 1e6);
    const latencies = await pairs.talk(SECONDS);
    clearInterval(sampling);
    const counts = await flood.stop();

    expect(pairs.gone).toBe(0);
    await server.relayOne();
    const memory = `${before} MB before, peak ${Math.round(peakBytes / 1e6)} MB`;
    console.log(`on ${runtime.name}: ${memory}, ${describeLatencies(latencies)}, ${counts}, seed ${seed}`);
    const buffersWithoutBound = runtime.exceptions.buffersWithoutBound !== undefined;
    expect(peakBytes).toBeLessThan(MAX_BYTES + (buffersWithoutBound ? OTHER_BYTES_UNBOUNDED : OTHER_BYTES));
  });
});
